"""Content Credentials, signed with a throw-away certificate and read back by c2pa's own reader."""

import datetime as dt
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.errors import CredentialsError, DependencyError
from archive_colorizer.image.metadata import c2pa as credentials
from archive_colorizer.image.metadata.c2pa import (
    add_credentials,
    can_hold_credentials,
    check_credentials,
)
from archive_colorizer.image.metadata.xmp import SOURCE_TYPE, SOURCE_TYPES, ProvenanceNote
from tests.photographs import photograph

c2pa = pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
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


def sign_certificate(subject, public, issuer_key, ca):
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
    builder = (
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
        builder = builder.add_extension(purpose, False)
    is_edwards = isinstance(issuer_key, ed25519.Ed25519PrivateKey)
    return builder.sign(issuer_key, None if is_edwards else hashes.SHA256())


def create_key(kind):
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    makers = {
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "unknown": lambda: ec.generate_private_key(ec.SECP256K1()),
    }
    return makers[kind]()


def read_credentials(data, kind):
    """The active manifest, if any; "Valid" means unchanged, not that the signer is trusted."""
    offline = {"version": 1, "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
    context = c2pa.Context.from_dict(offline)
    reader = c2pa.Reader.try_create(f"image/{kind}", io.BytesIO(data), context=context)
    if reader is None:
        return None
    with reader:
        report = json.loads(reader.json())
        manifest = report["manifests"][report["active_manifest"]]
        return {**manifest, "validation_state": reader.get_validation_state()}


def write_key_pair(folder, kind="p256"):
    """A chain and a key, as files."""
    from cryptography.hazmat.primitives import serialization as form

    authority, key = create_key("p256"), create_key(kind)
    chain = [
        sign_certificate("a signer", key.public_key(), authority, ca=False),
        sign_certificate("throw-away authority", authority.public_key(), authority, ca=True),
    ]
    pem = form.Encoding.PEM
    (folder / "chain.pem").write_bytes(b"".join(link.public_bytes(pem) for link in chain))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    return folder / "chain.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    return write_key_pair(tmp_path_factory.mktemp("keys"))


def encode_picture(kind):
    stream = io.BytesIO()
    Image.fromarray(photograph("chelsea")).save(stream, kind)
    return stream.getvalue()


def decode_pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp"])
def test_the_reader_finds_who_colored_what(kind, signing):
    data = encode_picture(kind)
    signed = add_credentials(data, kind, data, NOTE, *signing)
    assert np.array_equal(decode_pixels(signed), decode_pixels(data))
    manifest = read_credentials(signed, kind)
    assert manifest["validation_state"] == "Valid"
    assert manifest["signature_info"]["common_name"] == "a signer"
    assert manifest["claim_generator_info"][0]["name"] == "archive-colorizer"
    (parent,) = manifest["ingredients"]
    assert parent["relationship"] == "parentOf"
    opened, colored = manifest["assertions"][0]["data"]["actions"]
    assert opened["action"] == "c2pa.opened"
    assert colored["digitalSourceType"] == SOURCE_TYPES + SOURCE_TYPE
    assert colored["parameters"]["source"] == f"sha256 {'c' * 64}"


def test_a_change_after_signing_is_noticed(signing):
    data = encode_picture("png")
    signed = bytearray(add_credentials(data, "png", data, NOTE, *signing))
    signed[-100] ^= 1
    assert read_credentials(bytes(signed), "png")["validation_state"] == "Invalid"


def test_a_picture_without_credentials_has_none():
    assert read_credentials(encode_picture("jpeg"), "jpeg") is None


def test_the_credentials_of_the_source_live_on(signing):
    first = add_credentials(encode_picture("jpeg"), "jpeg", encode_picture("jpeg"), NOTE, *signing)
    again = add_credentials(encode_picture("jpeg"), "jpeg", first, NOTE, *signing)
    manifest = read_credentials(again, "jpeg")
    assert manifest["validation_state"] == "Valid"
    assert "active_manifest" in manifest["ingredients"][0]


@pytest.mark.parametrize("source", [b"BM and no picture c2pa reads", b"\xff\xd8\xff\xe0 cut", b""])
def test_a_source_that_c2pa_cannot_read_is_named_all_the_same(signing, source):
    signed = add_credentials(encode_picture("png"), "png", source, NOTE, *signing)
    manifest = read_credentials(signed, "png")
    assert manifest["validation_state"] == "Valid"
    assert len(manifest["ingredients"]) == 1


@pytest.mark.parametrize("kind", ["p384", "rsa", "ed25519"])
def test_other_kinds_of_keys_sign(tmp_path, kind):
    chain, key = write_key_pair(tmp_path, kind)
    check_credentials(chain, key)
    signed = add_credentials(encode_picture("png"), "png", encode_picture("png"), NOTE, chain, key)
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
        check_credentials(*write_key_pair(tmp_path, "unknown"))


def test_what_cannot_be_signed_says_so(signing):
    with pytest.raises(CredentialsError, match="cannot be signed"):
        add_credentials(b"no picture", "jpeg", b"", NOTE, *signing)


def test_formats_that_hold_none():
    assert [can_hold_credentials(kind) for kind in ("jpeg", "bmp", "jp2")] == [True, False, False]


def test_without_the_library_it_says_what_to_install(monkeypatch, signing):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(DependencyError, match=r"archive-colorizer\[c2pa\]"):
        check_credentials(*signing)
    assert credentials.can_hold_credentials("png")
