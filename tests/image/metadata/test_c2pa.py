"""Content Credentials, signed with a throw-away certificate and read back by c2pa's own reader."""

import datetime as dt
import io
import sys

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.errors import CredentialsError, DependencyError
from archive_colorizer.image.metadata import c2pa as credentials
from archive_colorizer.image.metadata.c2pa import (
    check_credentials,
    holds_credentials,
    read_credentials,
    with_credentials,
)
from archive_colorizer.image.metadata.xmp import SOURCE_TYPE, SOURCE_TYPES, ProvenanceNote
from tests.photographs import photograph

pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
x509 = pytest.importorskip("cryptography.x509")

NOTE = ProvenanceNote(
    software="archive-colorizer 0.1.0",
    model="constant",
    model_sha256="a" * 64,
    settings="b" * 64,
    source_name="gnp\udcff.jpg",
    source_sha256="c" * 64,
    when="2026-01-02T03:04:05+00:00",
)


def certificate(subject, public, issuer_key, ca):
    """A certificate as C2PA wants it: version 3, a purpose, and never signed by itself."""

    def named(name):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519

    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    usage |= {"digital_signature": not ca, "key_cert_sign": ca}
    made = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named("throw-away authority"))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca, None), True)
        .add_extension(x509.KeyUsage(**usage), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
    )
    if not ca:
        purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
        made = made.add_extension(purpose, False)
    is_edwards = isinstance(issuer_key, ed25519.Ed25519PrivateKey)
    return made.sign(issuer_key, None if is_edwards else hashes.SHA256())


def new_key(kind):
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    makers = {
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "unknown": lambda: ec.generate_private_key(ec.SECP256K1()),
    }
    return makers[kind]()


def pair(folder, kind="p256"):
    """A chain and a key, as files."""
    from cryptography.hazmat.primitives import serialization as form

    authority, key = new_key("p256"), new_key(kind)
    chain = [
        certificate("a signer", key.public_key(), authority, ca=False),
        certificate("throw-away authority", authority.public_key(), authority, ca=True),
    ]
    pem = form.Encoding.PEM
    (folder / "chain.pem").write_bytes(b"".join(one.public_bytes(pem) for one in chain))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    return folder / "chain.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    return pair(tmp_path_factory.mktemp("keys"))


def picture(kind):
    stream = io.BytesIO()
    Image.fromarray(photograph("chelsea")).save(stream, kind)
    return stream.getvalue()


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp"])
def test_the_reader_finds_who_colored_what(kind, signing):
    data = picture(kind)
    signed = with_credentials(data, kind, data, NOTE, *signing)
    assert np.array_equal(pixels(signed), pixels(data))
    said = read_credentials(signed, kind)
    assert said["validation_state"] == "Valid"
    assert said["signature_info"]["common_name"] == "a signer"
    assert said["claim_generator_info"][0]["name"] == "archive-colorizer"
    (parent,) = said["ingredients"]
    assert parent["relationship"] == "parentOf"
    opened, colored = said["assertions"][0]["data"]["actions"]
    assert opened["action"] == "c2pa.opened"
    assert colored["digitalSourceType"] == SOURCE_TYPES + SOURCE_TYPE
    assert colored["parameters"]["source"] == f"sha256 {'c' * 64}"


def test_a_change_after_signing_is_noticed(signing):
    data = picture("png")
    signed = bytearray(with_credentials(data, "png", data, NOTE, *signing))
    signed[-100] ^= 1
    assert read_credentials(bytes(signed), "png")["validation_state"] == "Invalid"


def test_a_picture_without_credentials_has_none():
    assert read_credentials(picture("jpeg"), "jpeg") is None


def test_the_credentials_of_the_source_live_on(signing):
    first = with_credentials(picture("jpeg"), "jpeg", picture("jpeg"), NOTE, *signing)
    again = with_credentials(picture("jpeg"), "jpeg", first, NOTE, *signing)
    said = read_credentials(again, "jpeg")
    assert said["validation_state"] == "Valid"
    assert "active_manifest" in said["ingredients"][0]


@pytest.mark.parametrize("source", [b"BM and no picture c2pa reads", b"\xff\xd8\xff\xe0 cut", b""])
def test_a_source_that_c2pa_cannot_read_is_named_all_the_same(signing, source):
    signed = with_credentials(picture("png"), "png", source, NOTE, *signing)
    said = read_credentials(signed, "png")
    assert said["validation_state"] == "Valid"
    assert len(said["ingredients"]) == 1


@pytest.mark.parametrize("kind", ["p384", "rsa", "ed25519"])
def test_other_kinds_of_keys_sign(tmp_path, kind):
    chain, key = pair(tmp_path, kind)
    check_credentials(chain, key)
    signed = with_credentials(picture("png"), "png", picture("png"), NOTE, chain, key)
    assert read_credentials(signed, "png")["validation_state"] == "Valid"


def test_keys_that_cannot_sign_are_found_before_the_run(tmp_path, signing):
    chain, key = signing
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("-----BEGIN NOTHING-----")
    with pytest.raises(CredentialsError, match="no private key"):
        check_credentials(chain, rubbish)
    with pytest.raises(CredentialsError, match="cannot be read"):
        check_credentials(tmp_path / "absent.pem", key)
    with pytest.raises(CredentialsError):
        check_credentials(*pair(tmp_path, "unknown"))


def test_what_cannot_be_signed_says_so(signing):
    with pytest.raises(CredentialsError, match="cannot be signed"):
        with_credentials(b"no picture", "jpeg", b"", NOTE, *signing)


def test_formats_that_hold_none():
    assert [holds_credentials(kind) for kind in ("jpeg", "bmp", "jp2")] == [True, False, False]


def test_without_the_library_it_says_what_to_install(monkeypatch, signing):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(DependencyError, match=r"archive-colorizer\[c2pa\]"):
        check_credentials(*signing)
    assert credentials.holds_credentials("png")
