"""A bounded walk over the header of a GGUF file.

The rules are those of llama.cpp's `gguf.cpp`: versions 2 and 3, and tensors that are packed in order and
padded to the alignment.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from ..errors import ModelFileError
from .cursor import DOWNLOAD_OR_COMPARE, Cursor, check_start, file_size
from .strings import string_places

Scalar: TypeAlias = int | float | bool | str

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_UINT32, _STRING, _ARRAY = 4, 8, 9
_MAX_DIMS = 4
_MAX_NAME = 64
_LEAST_ALIGNMENT = 32
# A tensor as the header lists it: name, shape, type number, and offset from the start of all tensors.
_Placed: TypeAlias = tuple[str, tuple[int, ...], int, int]


@dataclass(frozen=True)
class MetadataValue:
    """The value of one metadata entry.

    - `item`: the GGUF type number of the value, or of an array's items.
    - `count`: the number of items in an array, 1 for other values.
    - `start`: the position in the file of the value's first byte.
    - `end`: the position behind its last byte.
    - `value`: the scalar or string; None for an array, which `Header.array` reads.
    """

    item: int
    count: int
    start: int
    end: int
    value: Scalar | None


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies.

    - `name`: as llama.cpp names it, for instance "output_norm.weight".
    - `shape`: as the file has it, the fastest dimension first.
    - `kind`: how the numbers are quantized.
    - `path`: the file, one part of a split model.
    - `offset`: bytes from the start of the file.
    - `nbytes`: the size in bytes.
    """

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    path: Path
    offset: int
    nbytes: int


@dataclass(frozen=True)
class Header:
    """What one GGUF file says about itself.

    - `path`: the file.
    - `size`: its size in bytes.
    - `entries`: the metadata by key.
    - `tensors`: the tensors in the order in which they lie in the file.
    """

    path: Path
    size: int
    entries: Mapping[str, MetadataValue]
    tensors: tuple[TensorInfo, ...]

    def get(self, key: str, default: Scalar | None = None) -> Scalar | None:
        """The value of a scalar or string; `default` where it is missing or an array."""
        entry = self.entries.get(key)
        return default if entry is None or entry.value is None else entry.value

    def array(self, key: str) -> tuple[Any, ...]:
        """All items of an array of scalars or strings; () where there is no such array."""
        entry = self.entries.get(key)
        if entry is None or entry.value is not None:
            return ()
        if entry.item == _STRING:
            raw, starts, ends = self._texts(entry)
            return tuple(raw[a:b].decode("utf-8", "replace") for a, b in zip(starts.tolist(), ends.tolist()))
        return struct.unpack(f"<{entry.count}{_SCALARS[entry.item]}", self._raw(entry))

    def strings_of(self, key: str, indices: Sequence[int]) -> list[str]:
        """Some strings of an array. Raises KeyError where there is no such array, and IndexError where it is shorter."""
        entry = self.entries[key]
        if entry.item != _STRING or not all(0 <= index < entry.count for index in indices):
            raise IndexError(f"{key} has no strings {list(indices)}")
        raw, starts, ends = self._texts(entry)
        return [raw[starts[index] : ends[index]].decode("utf-8", "replace") for index in indices]

    def repeated(self, key: str) -> bytes | None:
        """The string of an array that comes a second time first; None where all differ. Empty ones are ignored."""
        entry = self.entries.get(key)
        if entry is None or entry.value is not None or entry.item != _STRING:
            return None
        raw, starts, ends = self._texts(entry)
        there = ends > starts
        found = [raw[a:b] for a, b in zip(starts[there].tolist(), ends[there].tolist())]
        if len(set(found)) == len(found):
            return None
        seen: set[bytes] = set()
        for text in found:
            if text in seen:
                break
            seen.add(text)
        return text

    def _texts(self, entry: MetadataValue) -> tuple[bytes, np.ndarray, np.ndarray]:
        """The bytes of an array of n strings, and where in them each begins and ends, int64 (n,) both.

        Raises ModelFileError where the file has changed since its header was read.
        """
        raw = self._raw(entry)
        places = list(string_places(raw, 0, len(raw), entry.count))
        starts = np.concatenate([np.empty(0, dtype=np.int64), *(found for found, _ in places)])
        if len(starts) < entry.count:
            raise ModelFileError(f"{self.path} was changed while it was read", "run again when it is complete")
        return raw, starts, np.append(starts[1:] - 8, [end for _, end in places[-1:]]).astype(np.int64)

    def _raw(self, entry: MetadataValue) -> bytes:
        with self.path.open("rb") as file:
            file.seek(entry.start)
            return file.read(entry.end - entry.start)


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read and check the header of one GGUF file.

    Raises ModelFileError where the path is not a readable, complete GGUF file of version 2 or 3.
    """
    path = Path(path)
    size = file_size(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _walk(Cursor(data, path), size)
    except OSError as err:
        raise ModelFileError(f"cannot read {path}: {err.strerror}", "check the file's permissions") from err


def _walk(cur: Cursor, size: int) -> Header:
    check_start(cur)
    n_tensors = cur.count("tensors", 24)
    n_entries = cur.count("metadata entries", 13)
    entries: dict[str, MetadataValue] = {}
    for _ in range(n_entries):
        key = cur.string("a metadata key")
        if not key or key in entries:
            raise cur.damaged(f"metadata key {key!r} is empty or appears twice,")
        entries[key] = _entry(cur, key)
    alignment = _alignment(cur, entries)
    infos = [_tensor_info(cur) for _ in range(n_tensors)]
    tensors = _place(cur, infos, alignment) if infos else ()
    return Header(cur.path, size, entries, tensors)


def _entry(cur: Cursor, key: str) -> MetadataValue:
    kind = cur.number("I", f"the type of {key}")
    if kind == _STRING:
        start = cur.at + 8
        value = cur.string(key)
        return MetadataValue(kind, 1, start, cur.at, value)
    if kind in _SCALARS:
        start = cur.at
        return MetadataValue(kind, 1, start, start + struct.calcsize(_SCALARS[kind]), cur.number(_SCALARS[kind], key))
    if kind != _ARRAY:
        raise cur.damaged(f"{key} has the unknown type {kind},")
    item = cur.number("I", f"the item type of {key}")
    if item not in _SCALARS and item != _STRING:
        raise cur.damaged(f"{key} is an array of the unknown type {item},")
    width = 8 if item == _STRING else struct.calcsize(_SCALARS[item])
    count = cur.count(f"items in {key}", width)
    start = cur.at
    if item == _STRING:
        cur.skip_strings(count, key)
    else:
        cur.skip(width * count, key)
    return MetadataValue(item, count, start, cur.at, None)


def _alignment(cur: Cursor, entries: Mapping[str, MetadataValue]) -> int:
    entry = entries.get("general.alignment")
    if entry is None:
        return 32
    value = entry.value
    if entry.item != _UINT32 or not isinstance(value, int) or not value or value & (value - 1):
        raise cur.damaged(f"general.alignment is {value!r}, not a power of two,")
    return value


def _tensor_info(cur: Cursor) -> _Placed:
    name = cur.string("a tensor's name")
    if len(name.encode()) >= _MAX_NAME:
        raise cur.damaged(f"the tensor name {name[:20]!r}... is {len(name.encode()):,} bytes long,")
    n_dims = cur.number("I", f"the shape of {name}")
    if n_dims > _MAX_DIMS:
        raise cur.damaged(f"tensor {name} has {n_dims:,} dimensions,")
    shape = tuple(cur.number("Q", f"the shape of {name}") for _ in range(n_dims))
    return name, shape, cur.number("I", f"the type of {name}"), cur.number("Q", f"the offset of {name}")


def _place(cur: Cursor, infos: Sequence[_Placed], alignment: int) -> tuple[TensorInfo, ...]:
    """Check that the tensors lie one behind the other, aligned, and inside the file."""
    start = -(-cur.at // alignment) * alignment
    if start % _LEAST_ALIGNMENT:
        raise cur.damaged(
            f"general.alignment of {alignment} puts the tensors at byte {start:,}, where llama.cpp aborts,"
        )
    expected, tensors, names = 0, [], set()
    for name, shape, kind_id, offset in infos:
        if name in names:
            raise cur.damaged(f"tensor {name} appears twice,")
        names.add(name)
        kind, nbytes = _extent(cur, name, shape, kind_id)
        if offset != expected:
            raise ModelFileError(
                f"{cur.path} is damaged: tensor {name} lies at offset {offset:,}, expected {expected:,}",
                DOWNLOAD_OR_COMPARE,
            )
        if start + offset + nbytes > cur.size:
            raise ModelFileError(
                f"{cur.path} is truncated: tensor {name} ends at byte {start + offset + nbytes:,}, "
                f"the file has {cur.size:,}",
                DOWNLOAD_OR_COMPARE,
            )
        tensors.append(TensorInfo(name, shape, kind, cur.path, start + offset, nbytes))
        expected += -(-nbytes // alignment) * alignment
    return tuple(tensors)


def _extent(cur: Cursor, name: str, shape: tuple[int, ...], kind_id: int) -> tuple[GGMLQuantizationType, int]:
    try:
        kind = GGMLQuantizationType(kind_id)
        block, width = GGML_QUANT_SIZES[kind]
    except (ValueError, KeyError):
        raise ModelFileError(
            f"{cur.path}: tensor {name} has the type number {kind_id}, which this version cannot read",
            "use another quantization of the model, for instance Q4_K_M or Q8_0",
        ) from None
    if (shape[0] if shape else 1) % block:
        raise cur.damaged(f"tensor {name} of shape {shape} does not divide into blocks of {block},")
    elements = 1
    for extent in shape:
        elements *= extent
    return kind, elements // block * width
