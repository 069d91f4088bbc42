"""Reading parts of a GGUF file's tensors: single rows as float32, and a fingerprint of them all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import numpy as np
from gguf import quants
from gguf.constants import GGMLQuantizationType, LlamaFileType

from ..errors import UnsupportedModelError
from .header import Header, TensorInfo

_DESCRIPTIVE = ("general.", "split.", "quantize.imatrix.", "tokenizer.chat_template", "lager_lite.")
_SAMPLE = 4096


def read_rows(tensor: TensorInfo, rows: Sequence[int]) -> np.ndarray:
    """The given rows of a tensor as float32 (len(rows), shape[0]), reading nothing else.

    Raises UnsupportedModelError for a quantization that the gguf package cannot dequantize.
    """
    width = tensor.nbytes * tensor.shape[0] // int(np.prod(tensor.shape))
    raw = np.empty((len(rows), width), dtype=np.uint8)
    with tensor.path.open("rb") as file:
        for target, row in zip(raw, rows):
            file.seek(tensor.offset + row * width)
            target[:] = np.frombuffer(file.read(width), dtype=np.uint8)
    if tensor.kind == GGMLQuantizationType.F64:
        return raw.view(np.float64).astype(np.float32)
    try:
        found = quants.dequantize(raw, tensor.kind)
    except NotImplementedError:
        raise UnsupportedModelError(
            f"{tensor.path}: {tensor.name} is quantized as {tensor.kind.name}, which cannot be read back",
            "use a file of the model with another quantization, for instance Q4_K_M or Q8_0",
        ) from None
    return np.ascontiguousarray(found, dtype=np.float32)


def quantization_name(header: Header, tensors: Mapping[str, TensorInfo]) -> str:
    """The file's quantization as people write it, for instance "Q4_K_M".

    Where the file does not say it: the type that takes the most bytes.
    """
    named = header.get("general.file_type", -1)
    try:
        name = LlamaFileType(named if isinstance(named, int) else -1).name
        return name.removeprefix("MOSTLY_").removeprefix("ALL_")
    except ValueError:
        sizes: dict[str, int] = {}
        for tensor in tensors.values():
            sizes[tensor.kind.name] = sizes.get(tensor.kind.name, 0) + tensor.nbytes
        return max(sizes, key=lambda kind: sizes[kind])


def fingerprint(header: Header, tensors: Mapping[str, TensorInfo]) -> str:
    """ "sha256:..." over what the backbone computes with.

    Covered: metadata except descriptions, the chat template and the split; every tensor's name,
    shape and type, and 4 KiB from its start, middle and end. Not covered: where tensors lie, so a
    split file and its merged copy agree.
    """
    digest = hashlib.sha256()
    with header.path.open("rb") as file:
        for key in sorted(header.entries):
            if key == "general.architecture" or not key.startswith(_DESCRIPTIVE):
                entry = header.entries[key]
                size = entry.end - entry.start
                file.seek(entry.start)
                digest.update(f"{key}\0{entry.item}\0{entry.count}\0{size}\0".encode())
                digest.update(file.read(size))
    samples: dict[str, bytes] = {}
    for path in {t.path for t in tensors.values()}:
        with path.open("rb") as file:
            samples.update({t.name: _sample(file, t) for t in tensors.values() if t.path == path})
    for name in sorted(samples):
        digest.update(f"{name}\0{tensors[name].shape}\0{tensors[name].kind.name}\0".encode())
        digest.update(samples[name])
    return "sha256:" + digest.hexdigest()


def _sample(file: BinaryIO, tensor: TensorInfo) -> bytes:
    if tensor.nbytes <= 3 * _SAMPLE:
        file.seek(tensor.offset)
        return file.read(tensor.nbytes)
    parts = []
    for start in (0, (tensor.nbytes - _SAMPLE) // 2, tensor.nbytes - _SAMPLE):
        file.seek(tensor.offset + start)
        parts.append(file.read(_SAMPLE))
    return b"".join(parts)
