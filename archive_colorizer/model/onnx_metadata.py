"""Read and write the metadata of an ONNX file without its weights.

An ONNX file is a ModelProto of Protocol Buffers.  Its metadata are separate entries at the top
level: they are found by skipping the graph, and added at the end.  The last one is the seal, the
sha256 of everything before it.
"""

import hashlib
import io
import os
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from archive_colorizer.errors import ModelError
from archive_colorizer.model.contract import METADATA_KEY, ModelContract
from archive_colorizer.storage.atomic import describe_write_error, open_atomically

SEAL_KEY: Final = "archive_colorizer.seal"

_DIGITS: Final = hashlib.sha256().digest_size * 2
_KEY: Final = SEAL_KEY.encode()
_INNER: Final = b"\x0a" + bytes([len(_KEY)]) + _KEY + b"\x12" + bytes([_DIGITS])
_ENTRY: Final = b"\x72" + bytes([len(_INNER) + _DIGITS]) + _INNER
"""ModelProto.metadata_props (field 14) with a StringStringEntryProto of key and value.

Protocol Buffers read a repeated field at the end of a message as one more entry of it.
"""
_SEAL: Final = re.compile(re.escape(_ENTRY) + rb"([0-9a-f]{%d})" % _DIGITS)

_METADATA: Final = 14
"""ModelProto.metadata_props: StringStringEntryProto with key (1) and value (2)."""
_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5
_MAX_ENTRY_BYTES: Final = 2**24


def add_seal(model: bytes) -> bytes:
    """Return the bytes of an ONNX model with a seal at the end, which replaces an older one."""
    bare = _SEAL.sub(b"", model)
    return bare + _ENTRY + hashlib.sha256(bare).hexdigest().encode()


def check_seal(model: bytes, origin: str) -> bool:
    """Return whether these bytes of an ONNX model have a seal; raises ModelError if it is wrong.

    Older files and those from elsewhere have no seal.
    """
    if _KEY not in model:
        return False
    # A memoryview avoids a copy: a model can have a gigabyte.
    end = len(model) - len(_ENTRY) - _DIGITS
    digest = hashlib.sha256(memoryview(model)[: max(end, 0)]).hexdigest().encode()
    if model.find(_ENTRY) != end or model[-_DIGITS:] != digest:
        raise ModelError(
            f"{origin}: is not what its seal says: a damaged copy, or edited after it was "
            "sealed; fetch, export or adopt it again"
        )
    return True


def add_contract(model: bytes, contract: ModelContract) -> bytes:
    """Return the bytes of an ONNX model with a contract and a seal at the end."""
    parts = (METADATA_KEY.encode(), contract.to_json().encode())
    entry = b"".join(_encode_field(number, part) for number, part in enumerate(parts, 1))
    return add_seal(model + _encode_field(_METADATA, entry))


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file without reading its weights; raises ModelError."""
    try:
        with path.open("rb") as stream:
            return _parse_model(stream, path.stat().st_size, f"model {path}")
    except OSError as error:
        raise ModelError(f"model {path}: cannot be read ({error.strerror})") from None


def read_contract(path: Path) -> ModelContract | None:
    """Return the contract of a model file, if it has one; raises ModelError."""
    text = read_metadata(path).get(METADATA_KEY)
    return None if text is None else ModelContract.from_json(text, f"model {path}")


def parse_contract(data: bytes, origin: str) -> ModelContract | None:
    """Return the contract in the bytes of a model, if it has one; raises ModelError."""
    text = _parse_model(io.BytesIO(data), len(data), origin).get(METADATA_KEY)
    return None if text is None else ModelContract.from_json(text, origin)


def _parse_model(stream: BinaryIO, size: int, origin: str) -> dict[str, str]:
    metadata = {}
    try:
        for _, content in _iterate_fields(stream, size, {_METADATA}):
            entry = dict(_iterate_fields(io.BytesIO(content), len(content), {1, 2}))
            metadata[entry.get(1, b"").decode()] = entry.get(2, b"").decode()
    except ValueError as error:
        raise ModelError(f"{origin}: not a sound ONNX file ({error})") from None
    return metadata


@contextmanager
def stage_file(data: bytes, output: Path) -> Iterator[Path]:
    """Write a temporary file for the body to check, then rename it to `output`.

    The temporary file is removed if the body raises.  Raises OutputError if writing fails.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise describe_write_error(output, error) from None
    with open_atomically(output) as stream:
        stream.write(data)
        stream.flush()
        yield Path(stream.name)


def _encode_field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field of Protocol Buffers."""
    return _encode_varint(number << 3 | _DELIMITED) + _encode_varint(len(content)) + content


def _encode_varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*digits, value))


def _iterate_fields(
    stream: BinaryIO, size: int, numbers: Container[int]
) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the wanted length-delimited fields of a message."""
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
        if number not in numbers or kind != _DELIMITED:
            stream.seek(length, os.SEEK_CUR)
        elif length > _MAX_ENTRY_BYTES:
            raise ValueError(f"an entry of {length} bytes")
        else:
            yield number, stream.read(length)


def _read_varint(stream: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        (digit,) = stream.read(1) or (None,)
        if digit is None:
            break
        value |= (digit & 0x7F) << shift
        if digit < 0x80:
            return value
    raise ValueError(f"cut or damaged at byte {stream.tell()}")
