"""Seal: a digest that a model file carries of itself, so that a damaged copy is noticed.

The last bytes of a sealed file are one metadata entry of ONNX, `archive_colorizer.seal`,
with the sha256 of all bytes before it.  A bit that flips in a weight leaves a sound ONNX
file with other colors; the seal tells.  It defends against accident, not malice: whoever
edits a model can seal it again.  Standard library only, as the contract is.
"""

import hashlib
import re
from typing import Final

from archive_colorizer.errors import ModelError

SEAL_KEY: Final = "archive_colorizer.seal"

_DIGITS: Final = hashlib.sha256().digest_size * 2
_KEY: Final = SEAL_KEY.encode()
_INNER: Final = b"\x0a" + bytes([len(_KEY)]) + _KEY + b"\x12" + bytes([_DIGITS])
_ENTRY: Final = b"\x72" + bytes([len(_INNER) + _DIGITS]) + _INNER
"""ModelProto.metadata_props (field 14) holding a StringStringEntryProto of key and value.

Protocol Buffers read a repeated field that stands at the end as one more entry of it.
"""
_SEAL: Final = re.compile(re.escape(_ENTRY) + rb"([0-9a-f]{%d})" % _DIGITS)


def sealed(model: bytes) -> bytes:
    """The bytes of an ONNX model with a seal at their end, in the place of any older one."""
    bare = _SEAL.sub(b"", model)
    return bare + _ENTRY + hashlib.sha256(bare).hexdigest().encode()


def check_seal(model: bytes, origin: str) -> bool:
    """Whether these bytes of an ONNX model are sealed; `origin` names the model in errors.

    Raises ModelError when they are not what was sealed.  Files without a seal are older
    than seals, or from elsewhere.
    """
    if _KEY not in model:
        return False
    # Without copies: a model can have a gigabyte.
    end = len(model) - len(_ENTRY) - _DIGITS
    digest = hashlib.sha256(memoryview(model)[: max(end, 0)]).hexdigest().encode()
    if model.find(_ENTRY) != end or model[-_DIGITS:] != digest:
        raise ModelError(
            f"{origin}: is not what its seal says: a damaged copy, or edited after it was "
            "sealed; fetch, export or adopt it again"
        )
    return True
