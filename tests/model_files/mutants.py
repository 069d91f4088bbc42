"""Damaged GGUF files, made from sound ones with a fixed seed; `tests.measure.gguf_mutants` runs many of them."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

KINDS = ("bytes", "header", "scalar", "type", "array", "string", "key", "shape", "kind", "offset", "name", "truncated")
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY, U32 = 8, 9, 4
ARCHITECTURES = [
    "llama",
    "gemma3",
    "phi2",
    "bert",
    "t5",
    "mamba2",
    "rwkv7",
    "deepseek2",
    "jamba",
    "falcon-h1",
    "qwen3next",
    "gpt-oss",
    "mpt",
    "bloom",
    "clip",
    "nothing",
]
TYPES = (0, 1, 2, 3, 6, 8, 10, 12, 14, 16, 18, 24, 26, 28, 30, 34, 39, 100)


@dataclass(frozen=True)
class Parts:
    """A GGUF file taken apart: entries (key, type, bytes), tensors (name, shape, type, offset), data."""

    start: bytes
    entries: tuple[tuple[str, int, bytes], ...]
    tensors: tuple[tuple[str, tuple[int, ...], int, int], ...]
    data: bytes

    def bytes(self) -> bytes:
        """The file again."""
        out = self.start + struct.pack("<QQ", len(self.tensors), len(self.entries))
        for key, kind, value in self.entries:
            out += text(key) + struct.pack("<I", kind) + value
        for name, shape, kind, offset in self.tensors:
            out += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        return out + bytes(-len(out) % 32) + self.data


def text(value: str) -> bytes:
    """A GGUF string."""
    raw = value.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(raw)) + raw


def take_apart(path: Path) -> Parts:
    """The parts of a sound file."""
    from lager_lite.backbones.header import read_header

    header, raw = read_header(path), path.read_bytes()
    entries = []
    for key, entry in header.entries.items():
        if entry.value is not None:
            start = entry.start - (8 if entry.item == STRING else 0)
            entries.append((key, entry.item, raw[start : entry.end]))
        else:
            entries.append((key, ARRAY, raw[entry.start - 12 : entry.end]))
    base = header.tensors[0].offset
    tensors = tuple((t.name, t.shape, int(t.kind), t.offset - base) for t in header.tensors)
    return Parts(raw[:8], tuple(entries), tensors, raw[base:])


def mutant(parts: Parts, whole: bytes, seed: int) -> tuple[str, str, bytes]:
    """The kind, what was changed, and the bytes of the mutant with this seed."""
    chance = random.Random(seed)
    kind = chance.choice(KINDS)
    if kind == "bytes":
        damaged = bytearray(whole)
        places = [chance.randrange(len(whole) - len(parts.data)) for _ in range(chance.choice((1, 1, 2, 8)))]
        for place in places:
            damaged[place] = chance.randrange(256)
        return kind, f"bytes at {places}", bytes(damaged)
    if kind == "truncated":
        end = chance.randrange(len(whole))
        return kind, f"cut at {end}", whole[:end]
    if kind == "header":
        damaged = bytearray(whole)
        place, code = chance.choice(((4, "<I"), (8, "<Q"), (16, "<Q")))
        value = chance.choice((0, 1, 2, 2**31, struct.unpack_from(code, whole, place)[0] + chance.choice((-1, 1, 5))))
        struct.pack_into(code, damaged, place, value % 2**32)
        return kind, f"{value} at {place}", bytes(damaged)
    if kind in ("scalar", "type", "array", "string", "key"):
        changed, what = _entry_mutant(parts, kind, chance)
    else:
        changed, what = _tensor_mutant(parts, kind, chance)
    return kind, what, changed.bytes()


def _entry_mutant(parts: Parts, kind: str, chance: random.Random) -> tuple[Parts, str]:
    entries = list(parts.entries)
    scalars = [i for i, e in enumerate(entries) if e[1] in SIZES]
    wanted = {
        "scalar": scalars,
        "array": [i for i, e in enumerate(entries) if e[1] == ARRAY],
        "string": [i for i, e in enumerate(entries) if e[1] == STRING],
    }
    where = chance.choice(wanted.get(kind, range(len(entries))))
    key, code, value = entries[where]
    if kind == "scalar":
        value = _number(code, value, chance)
    elif kind == "type":
        code = chance.choice((*SIZES, STRING, ARRAY, 13, 2**31))
        value = value if chance.random() < 0.3 else _any_value(code, chance)
    elif kind == "array":
        value = _array(value, chance)
    elif kind == "string":
        old = value[8:].decode("utf-8", "surrogateescape")
        value = text(chance.choice((*ARCHITECTURES, "", "\0", old[:-1], old * 3, "\udcff", "{{ " * 400, "x" * 100_000)))
    else:
        new = chance.choice((None, key + "x", entries[0][0], "", chance.choice(entries)[0], "general.alignment"))
        if new is None:
            del entries[where]
            return replace(parts, entries=tuple(entries)), f"without {key}"
        entries[where] = (new, code, value)
        return replace(parts, entries=tuple(entries)), f"{key} called {new!r}"
    entries[where] = (key, code, value)
    return replace(parts, entries=tuple(entries)), f"{key}: {kind}, type {code}, {value[:24]!r}"


def _number(code: int, value: bytes, chance: random.Random) -> bytes:
    width = SIZES[code]
    if code in (6, 12):
        number = chance.choice((0.0, -1.0, 1e-30, 1e30, float("inf"), float("nan"), 1e6))
        return struct.pack("<f" if code == 6 else "<d", number)
    old = int.from_bytes(value, "little")
    new = chance.choice(
        (0, 1, 2, 3, 7, old + 1, max(old - 1, 0), old * 2, old // 2, 255, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
    )
    return (new % 256**width).to_bytes(width, "little")


def _any_value(code: int, chance: random.Random) -> bytes:
    if code == STRING:
        return text(chance.choice(("", "llama", "5")))
    if code == ARRAY:
        item = chance.choice((U32, 5, 6, 7))
        numbers = [chance.choice((0, 1, 2, 4, 64, 2**31)) for _ in range(chance.choice((0, 1, 2, 600)))]
        return struct.pack("<IQ", item, len(numbers)) + b"".join(
            (n % 256 ** SIZES[item]).to_bytes(SIZES[item], "little") for n in numbers
        )
    return chance.choice((0, 1, 4, 64, 255)).to_bytes(SIZES.get(code, 4), "little")


def _array(value: bytes, chance: random.Random) -> bytes:
    item, count = struct.unpack_from("<IQ", value)
    choice = chance.choice(("count", "item", "bytes", "empty", "half", "numbers"))
    body = bytearray(value[12:])
    if choice == "count":
        count = chance.choice((0, 1, count - 1, count + 1, count * 2, 2**40))
    elif choice == "item":
        item = chance.choice((*SIZES, STRING, ARRAY))
    elif choice == "empty":
        count, body = 0, bytearray()
    elif choice == "half" and item in SIZES:
        count //= 2
        del body[count * SIZES[item] :]
    elif body:
        for _ in range(chance.choice((1, 4, 64))):
            body[chance.randrange(len(body))] = chance.choice((0, 1, 2, 3, 6, 32, 128, 255))
    return struct.pack("<IQ", item, count) + bytes(body)


def _tensor_mutant(parts: Parts, kind: str, chance: random.Random) -> tuple[Parts, str]:
    tensors = list(parts.tensors)
    where = chance.randrange(len(tensors))
    name, shape, code, offset = tensors[where]
    if kind == "shape":
        shape = _shape(shape, chance)
    elif kind == "kind":
        code = chance.choice(TYPES)
    elif kind == "offset":
        offset = chance.choice((0, 1, 32, offset + 32, offset + 1, 2**40, 2**63, 2**64 - 32))
    else:
        new = chance.choice(
            (
                None,
                name + "x",
                tensors[0][0],
                "",
                "output.bias",
                "rope_freqs.weight",
                "blk.9.attn_q.weight",
                "blk.0.attn_norm.bias",
            )
        )
        if new is None:
            del tensors[where]
            return packed(parts, tensors), f"without {name}"
        name = new
    tensors[where] = (name, shape, code, offset)
    changed = replace(parts, tensors=tuple(tensors))
    # Three of four are written so that offsets fit again, else the preflight's first check ends them all.
    if kind != "offset" and chance.random() < 0.75:
        changed = packed(parts, tensors)
    return changed, f"{kind}: {name} {shape} type {code} at {offset}"


def _shape(shape: tuple[int, ...], chance: random.Random) -> tuple[int, ...]:
    axis = chance.randrange(len(shape))
    size = shape[axis]
    if chance.random() < 0.3:
        return chance.choice(((), (*shape, 1), (*shape, 2), shape[::-1], shape[:1], (1,) * 4, (*shape, 1, 1, 1)))
    size = chance.choice((0, 1, 32, size + 32, size * 2, max(size // 2, 1), 2**31, 2**32, 2**62, 2**63))
    return (*shape[:axis], size, *shape[axis + 1 :])


def packed(parts: Parts, tensors: Sequence[tuple[str, tuple[int, ...], int, int]]) -> Parts:
    """The tensors one behind the other, with data of the right length."""
    from gguf.constants import GGML_QUANT_SIZES

    sizes = {int(k): v for k, v in GGML_QUANT_SIZES.items()}
    placed, data = [], bytearray()
    for name, shape, code, offset in tensors:
        block, width = sizes.get(code, (1, 4))
        elements = 1
        for extent in shape:
            elements *= extent
        nbytes = elements // block * width
        if nbytes > 2**24:
            return replace(parts, tensors=tuple(tensors))
        placed.append((name, shape, code, len(data)))
        raw = parts.data[offset : offset + nbytes] if offset < len(parts.data) else b""
        data += raw + bytes(nbytes - len(raw)) + bytes(-nbytes % 32)
    return replace(parts, tensors=tuple(placed), data=bytes(data))
