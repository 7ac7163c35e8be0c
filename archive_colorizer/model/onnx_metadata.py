"""Stamp: the metadata of a model file, read and written past its weights.

An ONNX file is a ModelProto of Protocol Buffers.  Its metadata are entries of their own at the
top level, so that they can be found by skipping the graph, and added by writing them at the end.
"""

import hashlib
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from archive_colorizer.errors import ModelError, OutputError
from archive_colorizer.model.contract import METADATA_KEY, ModelContract

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


_METADATA: Final = 14
"""ModelProto.metadata_props: StringStringEntryProto with key (1) and value (2)."""


_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5


_LARGEST: Final = 2**24
"""Bytes that an entry may have."""


def stamped(model: bytes, contract: ModelContract) -> bytes:
    """The bytes of an ONNX model with a contract and a seal at their end; the rest stays."""
    parts = (METADATA_KEY.encode(), contract.to_json().encode())
    entry = b"".join(_field(number, part) for number, part in enumerate(parts, 1))
    return sealed(model + _field(_METADATA, entry))


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a model file, by key, without reading its weights.

    Raises ModelError when it cannot be read or is no ONNX file.
    """
    try:
        with path.open("rb") as stream:
            return _metadata(stream, path.stat().st_size, f"model {path}")
    except OSError as error:
        raise ModelError(f"model {path}: cannot be read ({error.strerror})") from None


def metadata_in(data: bytes, origin: str) -> dict[str, str]:
    """The metadata in the bytes of a model, by key; ModelError that names it as `origin`."""
    return _metadata(io.BytesIO(data), len(data), origin)


def _metadata(stream: BinaryIO, size: int, origin: str) -> dict[str, str]:
    try:
        entries = [_fields_of(entry) for entry in _entries(stream, size)]
        return {one.get(1, b"").decode(): one.get(2, b"").decode() for one in entries}
    except ValueError as error:
        raise ModelError(f"{origin}: not a sound ONNX file ({error})") from None


@contextmanager
def drafted(data: bytes, output: Path) -> Iterator[Path]:
    """Write a file whole or not at all: a draft to look at, which then takes its place.

    Nothing is left when the body raises.  Raises OutputError when it cannot be written.
    """
    draft = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        yield draft
        draft.replace(output)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror})") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def _field(number: int, content: bytes) -> bytes:
    """A field of Protocol Buffers that is delimited by its length."""
    return _varint(number << 3 | _DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*digits, value))


def _entries(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """The metadata entries of a ModelProto; ValueError when it is none."""
    while stream.tell() < size:
        tag = _read_varint(stream)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _read_varint(stream)
            continue
        lengths = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
        length = _read_varint(stream) if kind == _DELIMITED else lengths.get(kind, -1)
        if not number or length < 0 or stream.tell() + length > size:
            raise ValueError(f"cut or damaged at byte {stream.tell()}")
        if number != _METADATA or kind != _DELIMITED:
            stream.seek(length, os.SEEK_CUR)
        elif length > _LARGEST:
            raise ValueError(f"an entry of {length} bytes")
        else:
            yield stream.read(length)


def _read_varint(stream: BinaryIO) -> int:
    value = 0
    for place in range(0, 70, 7):
        (digit,) = stream.read(1) or (None,)
        if digit is None:
            break
        value |= (digit & 0x7F) << place
        if digit < 0x80:
            return value
    raise ValueError(f"cut or damaged at byte {stream.tell()}")


def _fields_of(entry: bytes) -> dict[int, bytes]:
    """The delimited fields of a message that has no others."""
    stream, fields = io.BytesIO(entry), {}
    while stream.tell() < len(entry):
        tag, length = _read_varint(stream), _read_varint(stream)
        if tag & 7 != _DELIMITED or stream.tell() + length > len(entry):
            raise ValueError("a damaged entry")
        fields[tag >> 3] = stream.read(length)
    return fields
