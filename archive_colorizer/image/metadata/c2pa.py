"""Content Credentials (C2PA): a signed statement in the file on what made its color.

Everything happens here and offline: no time stamp is asked for, no remote manifest and no
revocation list is fetched.  The only door of c2pa.
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


def holds_credentials(kind: Format) -> bool:
    """Whether files of this format can hold Content Credentials."""
    return kind in _MIME


def check_credentials(certificate: Path, key: Path) -> None:
    """Find out before a run whether it can sign.

    Raises CredentialsError, which says what is wrong with the files, and DependencyError
    without c2pa-python.
    """
    with _signer(certificate, key):
        pass


def with_credentials(
    data: bytes, kind: Format, source: bytes, note: ProvenanceNote, certificate: Path, key: Path
) -> bytes:
    """The finished file `data` with a signed manifest; its pixels stay as they are.

    The manifest names the source as the parent it was opened from (with the source's own
    credentials, where it has some) and the coloring as an edit with the same digital source
    type as the XMP.  certificate: a PEM chain, the signer's first; key: its private key, PEM.
    Raises CredentialsError when the file cannot be signed, DependencyError without c2pa-python.
    """
    c2pa = _library()
    mime, target = _MIME[kind], io.BytesIO()
    try:
        context = c2pa.Context.from_dict(_OFFLINE)
        definition = json.dumps(_definition(note, mime))
        with _signer(certificate, key) as signer, c2pa.Builder(definition, context) as builder:
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
            _add_parent(builder, source, note)
            builder.sign(signer, mime, io.BytesIO(data), target)
    except c2pa.C2paError as error:
        raise CredentialsError(f"{note.source_name} cannot be signed: {error}") from None
    return target.getvalue()


def read_credentials(data: bytes, kind: Format) -> dict[str, Any] | None:
    """The active manifest of a file, with its validation under "validation_state".

    None where there is none.  "Valid" means that nothing has changed since it was signed, not
    that the signer is trusted.
    """
    c2pa = _library()
    context = c2pa.Context.from_dict(_OFFLINE)
    reader = c2pa.Reader.try_create(_MIME[kind], io.BytesIO(data), context=context)
    if reader is None:
        return None
    with reader:
        said = json.loads(reader.json())
        manifest: dict[str, Any] = said["manifests"][said["active_manifest"]]
        return {**manifest, "validation_state": reader.get_validation_state()}


def _definition(note: ProvenanceNote, mime: str) -> dict[str, Any]:
    name, _, version = note.software.partition(" ")
    agent = {"name": name, "version": version}
    sharpened = f", sharpened ({note.sharpening})" if note.sharpening else ""
    said = f"Color added with the model {note.model}; light and shade are the source's{sharpened}"
    colored = {
        "action": "c2pa.edited",
        "when": note.when,
        "softwareAgent": agent,
        "digitalSourceType": SOURCE_TYPES + note.source_type,
        "description": said,
        "parameters": {
            "model": f"{note.model} sha256 {note.model_sha256}",
            "settings": note.settings,
            "source": f"sha256 {note.source_sha256}",
            **({"aids": "; ".join(note.aids)} if note.aids else {}),
        },
    }
    return {
        "claim_generator_info": [agent],
        "title": _title(note),
        "format": mime,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [colored]}}],
    }


def _title(note: ProvenanceNote) -> str:
    return note.source_name.encode("utf-8", "backslashreplace").decode("utf-8")


def _add_parent(builder: Any, source: bytes, note: ProvenanceNote) -> None:
    """Name the source, with its own credentials where c2pa can read its format."""
    parent = {
        "title": _title(note),
        "relationship": "parentOf",
        "instance_id": f"urn:sha256:{note.source_sha256}",
    }
    mime = _MIME.get(sniff(source) or "")
    if mime is not None:
        with contextlib.suppress(_library().C2paError):
            builder.add_ingredient(parent, mime, io.BytesIO(source))
            return
    # Not looked into: the parent is named and identified by its hash alone.
    builder.add_ingredient(parent, "application/octet-stream", io.BytesIO())


@contextlib.contextmanager
def _signer(certificate: Path, key: Path) -> Iterator[Any]:
    c2pa = _library()
    try:
        chain, private = certificate.read_bytes(), key.read_bytes()
    except OSError as error:
        raise CredentialsError(f"{error.filename} cannot be read: {error.strerror}") from None
    algorithm = _algorithm(private, key)
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


def _algorithm(private: bytes, key: Path) -> str:
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


def _library() -> Any:
    try:
        import c2pa
    except ImportError:
        raise DependencyError(
            "Content Credentials need c2pa-python; run: pip install 'archive-colorizer[c2pa]'"
        ) from None
    return c2pa
