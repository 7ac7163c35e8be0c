"""Write Content Credentials (C2PA): a signed statement in the file about its color's origin.

It works offline: no time stamp is requested, no remote manifest or revocation list is fetched.
"""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import CredentialsError, DependencyError
from archive_colorizer.image.metadata.xmp import SOURCE_TYPES, ProvenanceNote
from archive_colorizer.image.raster import Format
from archive_colorizer.image.signatures import sniff
from archive_colorizer.records.text import escape_surrogates

_MIME: Final[dict[str, str]] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "tiff": "image/tiff",
    "webp": "image/webp",
}
_CURVES: Final = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_OFFLINE: Final = {
    "version": 1,
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}


def can_hold_credentials(file_format: Format) -> bool:
    """Whether files of this format can hold Content Credentials."""
    return file_format in _MIME


def check_credentials(certificate: Path, key: Path) -> None:
    """Check before a run that it can sign.

    Raises CredentialsError for invalid files, and DependencyError without c2pa-python.
    """
    with _open_signer(certificate, key):
        pass


def add_credentials(
    data: bytes,
    file_format: Format,
    source: bytes,
    note: ProvenanceNote,
    certificate: Path,
    key: Path,
) -> bytes:
    """Add a signed manifest to the finished file `data`; its pixels stay unchanged.

    The manifest names the source as its parent (with the source's own credentials, if any)
    and the colorization as an edit with the digital source type of the XMP.
    certificate: a PEM chain, the signer's first.  key: its private key, PEM.
    Raises CredentialsError when the file cannot be signed, DependencyError without c2pa-python.
    """
    c2pa = _load_library()
    mime, target = _MIME[file_format], io.BytesIO()
    try:
        context = c2pa.Context.from_dict(_OFFLINE)
        definition = json.dumps(_build_manifest(note, mime))
        with _open_signer(certificate, key) as signer, c2pa.Builder(definition, context) as builder:
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
            _add_parent(builder, source, note)
            builder.sign(signer, mime, io.BytesIO(data), target)
    except c2pa.C2paError as error:
        raise CredentialsError(f"{note.source_name} cannot be signed: {error}") from None
    return target.getvalue()


def _build_manifest(note: ProvenanceNote, mime: str) -> dict[str, Any]:
    name, _, version = note.software.partition(" ")
    agent = {"name": name, "version": version}
    sharpened = f", sharpened ({note.sharpening})" if note.sharpening else ""
    description = (
        f"Color added with the model {note.model}; light and shade are the source's{sharpened}"
    )
    edit = {
        "action": "c2pa.edited",
        "when": note.when,
        "softwareAgent": agent,
        "digitalSourceType": SOURCE_TYPES + note.source_type,
        "description": description,
        "parameters": {
            "model": f"{note.model} sha256 {note.model_sha256}",
            "settings": note.settings,
            "source": f"sha256 {note.source_sha256}",
            **({"aids": "; ".join(note.aids)} if note.aids else {}),
        },
    }
    return {
        "claim_generator_info": [agent],
        "title": escape_surrogates(note.source_name),
        "format": mime,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [edit]}}],
    }


def _add_parent(builder: Any, source: bytes, note: ProvenanceNote) -> None:
    """Add the source as the parent, with its own credentials where c2pa can read its format."""
    parent = {
        "title": escape_surrogates(note.source_name),
        "relationship": "parentOf",
        "instance_id": f"urn:sha256:{note.source_sha256}",
    }
    mime = _MIME.get(sniff(source) or "")
    if mime is not None:
        with contextlib.suppress(_load_library().C2paError):
            builder.add_ingredient(parent, mime, io.BytesIO(source))
            return
    # c2pa cannot read this parent, so its name and hash alone identify it.
    builder.add_ingredient(parent, "application/octet-stream", io.BytesIO())


@contextlib.contextmanager
def _open_signer(certificate: Path, key: Path) -> Iterator[Any]:
    c2pa = _load_library()
    try:
        chain, private = certificate.read_bytes(), key.read_bytes()
    except OSError as error:
        raise CredentialsError(f"{error.filename} cannot be read: {error.strerror}") from None
    algorithm = _identify_algorithm(private, key)
    try:
        signer = c2pa.Signer.from_info(
            c2pa.C2paSignerInfo(algorithm.encode(), chain, private, None)
        )
    except c2pa.C2paError as error:
        raise CredentialsError(
            f"{certificate} and {key} cannot sign: {error}; give a PEM chain and its PKCS #8 key"
        ) from None
    with signer:
        yield signer


def _identify_algorithm(private: bytes, key: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        loaded = load_pem_private_key(private, None)
    except (ValueError, TypeError) as error:
        raise CredentialsError(
            f"{key} is no private key in PEM without password ({error}); give one"
        ) from None
    if isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.curve.name in _CURVES:
        return _CURVES[loaded.curve.name]
    if isinstance(loaded, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise CredentialsError(f"{key} is of a kind that C2PA does not know; use ECDSA, RSA or Ed25519")


def _load_library() -> Any:
    try:
        import c2pa
    except ImportError:
        raise DependencyError(
            "Content Credentials need c2pa-python; run: pip install 'archive-colorizer[c2pa]'"
        ) from None
    return c2pa
