"""A bounded walk over the header of a GGUF file.

llama.cpp aborts the whole process on some damaged files, so every length, count and offset is
checked here first, against the size of the file and before anything is allocated. The rules are
those of `gguf.cpp` (versions 2 and 3, tensors packed in order, padded to the alignment).
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from ..errors import ModelFileError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MAX_DIMS = 4
_MAX_NAME = 64
_LEAST_ALIGNMENT = 32
_DOWNLOAD = "download the file again, or check its size against the publisher's"
_OTHER_FORMATS = (
    (b"version https://git-lfs", "a Git LFS pointer", "run `git lfs pull`, or download the file itself"),
    (b"<!DOCTYPE", "a web page", _DOWNLOAD),
    (b"<html", "a web page", _DOWNLOAD),
    (b"PK\x03\x04", "a zip archive or PyTorch checkpoint", "convert the model with llama.cpp's convert_hf_to_gguf.py"),
    (b"ggjt", "an old GGML file", "convert the model again with a current llama.cpp"),
    (b"tjgg", "an old GGML file", "convert the model again with a current llama.cpp"),
    (b"lmgg", "an old GGML file", "convert the model again with a current llama.cpp"),
)


@dataclass(frozen=True)
class MetadataValue:
    """One metadata entry: `value` of a scalar or string, None for an array.

    item: GGUF type of the value or of the array's items; count: items of an array, 1 otherwise;
    start, end: where the value's bytes lie in the file.
    """

    item: int
    count: int
    start: int
    end: int
    value: object


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies: shape as stored (fastest dimension first), offset from the file's start."""

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    path: Path
    offset: int
    nbytes: int


@dataclass(frozen=True)
class Header:
    """What one GGUF file says about itself."""

    path: Path
    size: int
    entries: Mapping[str, MetadataValue]
    tensors: tuple[TensorInfo, ...]

    def get(self, key: str, default: object = None) -> object:
        """The value of a scalar or string, `default` where it is missing or an array."""
        entry = self.entries.get(key)
        return default if entry is None or entry.value is None else entry.value

    def array(self, key: str) -> tuple:
        """All items of a scalar or string array, () where there is no such array."""
        entry = self.entries.get(key)
        if entry is None or entry.value is not None:
            return ()
        raw = self._raw(entry)
        if entry.item == _STRING:
            return tuple(raw[a:b].decode("utf-8", "replace") for a, b in _strings(raw, entry.count))
        return struct.unpack(f"<{entry.count}{_SCALARS[entry.item]}", raw)

    def repeated(self, key: str) -> bytes | None:
        """The first string of an array that stands in it twice, empty ones aside; None where all differ."""
        entry = self.entries.get(key)
        if entry is None or entry.value is not None or entry.item != _STRING:
            return None
        raw = self._raw(entry)
        found = [raw[a:b] for a, b in _strings(raw, entry.count) if b > a]
        if len(set(found)) == len(found):
            return None
        seen: set[bytes] = set()
        return next(text for text in found if text in seen or seen.add(text))  # type: ignore[func-returns-value]

    def _raw(self, entry: MetadataValue) -> bytes:
        with self.path.open("rb") as file:
            file.seek(entry.start)
            return file.read(entry.end - entry.start)


def read_header(path: str | os.PathLike) -> Header:
    """Read and check the header of one GGUF file.

    Raises ModelFileError where the path is not a readable, complete GGUF file of version 2 or 3.
    """
    path = Path(path)
    size = _file_size(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _walk(_Cursor(data, path), size)
    except OSError as err:
        raise ModelFileError(f"cannot read {path}: {err.strerror}", "check the file's permissions") from err


def _file_size(path: Path) -> int:
    try:
        if path.is_dir():
            raise ModelFileError(f"{path} is a directory, not a GGUF file", "name the .gguf file inside it")
        size = path.stat().st_size
    except FileNotFoundError:
        raise ModelFileError(f"there is no model file {path}", "check the path given with -m") from None
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or err
        raise ModelFileError(f"cannot read {path}: {reason}", "check the path given with -m") from err
    if size == 0:
        raise ModelFileError(f"{path} is empty", _DOWNLOAD)
    return size


class _Cursor:
    """A read position in the mapped file that never passes its end."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data, self.path, self.at, self.size = data, path, 0, len(data)

    def truncated(self, what: str) -> ModelFileError:
        return ModelFileError(
            f"{self.path} is damaged or truncated: {what} at byte {self.at:,} of {self.size:,}", _DOWNLOAD
        )

    def skip(self, count: int, what: str) -> int:
        if count > self.size - self.at:
            raise self.truncated(f"{what} runs past the end,")
        self.at += count
        return self.at - count

    def number(self, code: str, what: str) -> int:
        start = self.skip(struct.calcsize("<" + code), what)
        return struct.unpack_from("<" + code, self.data, start)[0]

    def string(self, what: str) -> str:
        start = self.skip(self.number("Q", what), what)
        return self.data[start : self.at].decode("utf-8", "replace")

    def count(self, what: str, smallest: int) -> int:
        """A number of things of at least `smallest` bytes each, which must fit what is left."""
        count = self.number("Q", what)
        if count > (self.size - self.at) // smallest:
            raise self.truncated(f"the number of {what} is {count:,}, more than fit the file,")
        return count


def _walk(cur: _Cursor, size: int) -> Header:
    _check_start(cur)
    n_tensors = cur.count("tensors", 24)
    n_entries = cur.count("metadata entries", 13)
    entries: dict[str, MetadataValue] = {}
    for _ in range(n_entries):
        key = cur.string("a metadata key")
        if not key or key in entries:
            raise cur.truncated(f"metadata key {key!r} is empty or appears twice,")
        entries[key] = _entry(cur, key)
    alignment = _alignment(cur, entries)
    infos = [_tensor_info(cur) for _ in range(n_tensors)]
    tensors = _place(cur, infos, alignment) if infos else ()
    return Header(cur.path, size, entries, tensors)


def _check_start(cur: _Cursor) -> None:
    head = cur.data[:64]
    if head[:4] != b"GGUF":
        for magic, name, hint in _OTHER_FORMATS:
            if head.lstrip().lower().startswith(magic.lower()):
                raise ModelFileError(f"{cur.path} is not a GGUF file but {name}", hint)
        raise ModelFileError(
            f"{cur.path} is not a GGUF file: it starts with {head[:4]!r}, not b'GGUF'",
            "give a GGUF file, or convert the model with llama.cpp's convert_hf_to_gguf.py",
        )
    cur.at = 4
    version = cur.number("I", "the version")
    if version and version & 0xFFFF == 0:
        raise ModelFileError(
            f"{cur.path} is a big-endian GGUF file", "convert it with `gguf-convert-endian FILE little`"
        )
    if version not in (2, 3):
        raise ModelFileError(
            f"{cur.path} is GGUF version {version}; versions 2 and 3 can be read",
            "convert the model again with a current llama.cpp",
        )


def _entry(cur: _Cursor, key: str) -> MetadataValue:
    kind = cur.number("I", f"the type of {key}")
    if kind == _STRING:
        start = cur.at + 8
        value = cur.string(key)
        return MetadataValue(kind, 1, start, cur.at, value)
    if kind in _SCALARS:
        start = cur.at
        return MetadataValue(kind, 1, start, start + struct.calcsize(_SCALARS[kind]), cur.number(_SCALARS[kind], key))
    if kind != _ARRAY:
        raise cur.truncated(f"{key} has the unknown type {kind},")
    item = cur.number("I", f"the item type of {key}")
    if item not in _SCALARS and item != _STRING:
        raise cur.truncated(f"{key} is an array of the unknown type {item},")
    width = 8 if item == _STRING else struct.calcsize(_SCALARS[item])
    count = cur.count(f"items in {key}", width)
    start = cur.at
    if item == _STRING:
        _skip_strings(cur, key, count)
    else:
        cur.skip(width * count, key)
    return MetadataValue(item, count, start, cur.at, None)


def _skip_strings(cur: _Cursor, key: str, count: int) -> None:
    # The hot loop of a 250,000-token vocabulary: locals, and one bounds check per string.
    data, at, size, unpack = cur.data, cur.at, cur.size, struct.Struct("<Q").unpack_from
    for _ in range(count):
        if at + 8 > size or at + 8 + unpack(data, at)[0] > size:
            cur.at = min(at, size)
            raise cur.truncated(f"a string of {key} runs past the end,")
        at += 8 + unpack(data, at)[0]
    cur.at = at


def _strings(raw: bytes, count: int) -> Iterator[tuple[int, int]]:
    at = 0
    for _ in range(count):
        length = struct.unpack_from("<Q", raw, at)[0]
        yield at + 8, at + 8 + length
        at += 8 + length


def _alignment(cur: _Cursor, entries: Mapping[str, MetadataValue]) -> int:
    entry = entries.get("general.alignment")
    value = 32 if entry is None else entry.value
    if entry is not None and (entry.item != 4 or not value or value & (value - 1)):
        raise cur.truncated(f"general.alignment is {value!r}, not a power of two,")
    return value


def _tensor_info(cur: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cur.string("a tensor's name")
    if len(name.encode()) >= _MAX_NAME:
        raise cur.truncated(f"the tensor name {name[:20]!r}... is {len(name.encode()):,} bytes long,")
    n_dims = cur.number("I", f"the shape of {name}")
    if n_dims > _MAX_DIMS:
        raise cur.truncated(f"tensor {name} has {n_dims:,} dimensions,")
    shape = tuple(cur.number("Q", f"the shape of {name}") for _ in range(n_dims))
    return name, shape, cur.number("I", f"the type of {name}"), cur.number("Q", f"the offset of {name}")


def _place(cur: _Cursor, infos: list, alignment: int) -> tuple[TensorInfo, ...]:
    """Check that the tensors lie one behind the other, aligned, and inside the file."""
    start = -(-cur.at // alignment) * alignment
    if start % _LEAST_ALIGNMENT:
        raise cur.truncated(
            f"general.alignment of {alignment} puts the tensors at byte {start:,}, where llama.cpp aborts,"
        )
    expected, tensors, names = 0, [], set()
    for name, shape, kind_id, offset in infos:
        if name in names:
            raise cur.truncated(f"tensor {name} appears twice,")
        names.add(name)
        kind, nbytes = _extent(cur, name, shape, kind_id)
        if offset != expected:
            raise ModelFileError(
                f"{cur.path} is damaged: tensor {name} lies at offset {offset:,}, expected {expected:,}", _DOWNLOAD
            )
        if start + offset + nbytes > cur.size:
            raise ModelFileError(
                f"{cur.path} is truncated: tensor {name} ends at byte {start + offset + nbytes:,}, "
                f"the file has {cur.size:,}",
                _DOWNLOAD,
            )
        tensors.append(TensorInfo(name, shape, kind, cur.path, start + offset, nbytes))
        expected += -(-nbytes // alignment) * alignment
    return tuple(tensors)


def _extent(cur: _Cursor, name: str, shape: tuple[int, ...], kind_id: int) -> tuple[GGMLQuantizationType, int]:
    try:
        kind = GGMLQuantizationType(kind_id)
        block, width = GGML_QUANT_SIZES[kind]
    except (ValueError, KeyError):
        raise ModelFileError(
            f"{cur.path}: tensor {name} has the type number {kind_id}, which this version cannot read",
            "use another quantization of the model (Q4_K_M or Q8_0, say)",
        ) from None
    if (shape[0] if shape else 1) % block:
        raise cur.truncated(f"tensor {name} of shape {shape} does not divide into blocks of {block},")
    elements = 1
    for extent in shape:
        elements *= extent
    return kind, elements // block * width
