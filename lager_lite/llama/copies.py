"""Copies of quantized files with their matrices unpacked, which a GPU reads in place of the file.

A GPU's kernels for quantized matrices round activations to 8 bits, which our products on a CPU do not. On an H200 that
moved the expected scores of the default model by up to 0.57 points from a CPU's (rank correlation 0.87), and weights
fitted on a CPU agreed with people at 0.45 in place of 0.57; a copy in BF16 moved them by 0.05 (0.999), lost no agreement,
and was read 1.4 times as fast. A copy is made once, holds the weights that a CPU computes with, and counts as the file that it
was made from: its readings have keys of their own, and fitted weights are for both.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path

from ..backbones import open_model
from ..errors import Advice, BackendError, LagerError, LagerWarning
from ..system import or_nowhere, unpacked_folder
from .library import Library
from .options import BackendOptions
from .quantize import requantize
from .ways import kinds_of

UNASKED = 4e9
"""The largest copy in bytes that is made unless `BackendOptions.unpack` asks for one."""
_ROOM = "quantized, though the GPU has room for them in BF16, faster and nearer to a CPU"
WOULD_UNPACK = Advice(f"{_ROOM}: --weights-as unpacked", f'{_ROOM}: unpack="fastest"')
"""What is said of a file's weights where only a copy that is larger than that is missing."""
_FLOATS = {"F32", "F16", "BF16"}
_BYTES = {"BF16": 2, "F32": 4}


def copy_kind(library: Library, options: BackendOptions, path: Path, layers: int) -> str:
    """Return what a GPU reads in place of a quantized file: a copy in "BF16" or "F32", or "" for the file as it is.

    layers: the blocks on GPUs, -1 for all. Only an NVIDIA GPU that holds the whole model reads copies, since nothing was
    measured on others. Raises what `open_model` raises.
    """
    kind = "F32" if options.unpack == "f32" else "BF16"
    if options.unpack == "off" or options.rpc or not has_room(library, path, layers, kind):
        return ""
    if options.unpack == "fastest" or _place(path, kind).exists():
        return kind
    size = copy_bytes(path, kind)
    return kind if size <= UNASKED and 2 * size < _free_on_disk() else ""


def has_room(library: Library, path: Path, layers: int, kind: str = "BF16") -> bool:
    """Return whether NVIDIA GPUs that hold a whole quantized model have room for it as `kind`. Raises as `copy_kind`."""
    if layers != -1 or kinds_of(path) <= _FLOATS:
        return False
    # A fifth more than the file, as for the place of the blocks.
    need = 1.2 * copy_bytes(path, kind)
    return 0 < need <= sum(d.memory_free for d in library.devices() if d.name.startswith("CUDA"))


def copy_bytes(path: Path, kind: str) -> int:
    """Return about how many bytes a copy takes."""
    return _BYTES[kind] * open_model(path).parameters


def unpacked_copy(path: Path, kind: str) -> Path:
    """Return the path of the copy, which is made where it is missing or damaged.

    Raises BackendError where it cannot be made, and the error of `unpacked_folder` for a user without a home.
    """
    place = unpacked_folder() / _place(path, kind).name
    if _is_sound(place):
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as beside:
            os.replace(requantize(path, Path(beside) / place.name, kind), place)
    except OSError as error:
        raise BackendError(
            f"no copy of {path.name} in {kind} can be made for the GPU: {error}",
            Advice("--weights-as file reads the file as it is", 'unpack="off" reads the file as it is'),
        ) from error
    return place


def file_to_load(library: Library, options: BackendOptions, path: Path, layers: int) -> tuple[str, Path]:
    """Return what `copy_kind` returns, and the file to load: the copy, or `path`.

    A copy that nobody asked for and that cannot be made is done without, with a LagerWarning. Raises as `unpacked_copy`
    for one that was asked for.
    """
    kind = copy_kind(library, options, path, layers)
    if not kind:
        return "", path
    try:
        return kind, unpacked_copy(path, kind)
    except LagerError as error:
        if options.unpack == "fastest":
            raise
        warnings.warn(
            f"{error}; the GPU reads the weights as they are in the file, which moves scores",
            LagerWarning,
            stacklevel=3,
        )
        return "", path


def say_weights(library: Library, options: BackendOptions, path: Path, layers: int) -> str:
    """Return in words how GPUs that hold a whole quantized model read its weights; "" elsewhere. Raises as `copy_kind`."""
    if layers != -1 or kinds_of(path) <= _FLOATS:
        return ""
    if kind := copy_kind(library, options, path, layers):
        return f"unpacked to {kind} for the GPU: {_place(path, kind)}"
    if options.unpack == "auto" and has_room(library, path, layers):
        return str(WOULD_UNPACK)
    return "as they are in the file" + ("" if options.unpack == "off" else ": no NVIDIA GPU has room for them in BF16")


def say_new_copy(library: Library, options: BackendOptions, path: Path, layers: int) -> str:
    """Return in words which copy the first load of a file makes; "" where there is none to make. Raises as `copy_kind`."""
    kind = copy_kind(library, options, path, layers)
    if not kind or _place(path, kind).exists():
        return ""
    size = copy_bytes(path, kind) / 1e6
    return f"unpacking {path.name} to {kind} for the GPU: a copy of {size:.0f} MB in {_place(path, kind).parent}, made once"


def _is_sound(place: Path) -> bool:
    try:
        open_model(place)
    except LagerError:
        return False
    return True


def _place(path: Path, kind: str) -> Path:
    info = open_model(path).info
    # A pruned file has the fingerprint of the whole model.
    name = f"{info.fingerprint.partition(':')[2][:32]}-{info.n_blocks}.{kind}.gguf"
    return or_nowhere(unpacked_folder) / name


def _free_on_disk() -> int:
    place = or_nowhere(unpacked_folder)
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return 0
