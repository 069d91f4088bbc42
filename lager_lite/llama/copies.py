"""Copies of quantized files with their matrices unpacked, which a GPU reads in place of the file.

A GPU's kernels for quantized matrices round activations to 8 bits, which our products on a CPU do not. On an H200 that
moved the expected scores of the default model by up to 0.57 points from a CPU's (rank correlation 0.87), and weights
fitted on a CPU agreed with people at 0.45 in place of 0.57; a copy in BF16 moved them by 0.05 (0.999), lost no agreement,
and was read 1.4 times as fast. A copy is made once, holds the weights that a CPU computes with, and counts as the file that it
was made from: its readings have keys of their own, and fitted weights are for both.

A copy that was asked for is read, or the run ends with an error. One that nobody asked for is done without, in words,
where there is no room for it at the moment.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import IO

from ..backbones import open_model
from ..errors import Advice, BackendError, LagerError, LagerWarning
from ..system import or_nowhere, unpacked_folder
from .asked import gpus_of
from .copy_files import copy_place, hold_copy
from .library import Device, Library
from .options import BackendOptions
from .ways import kinds_of

UNASKED = 4e9
"""The largest copy in bytes that is made unless `BackendOptions.unpack` asks for one."""
_ROOM = "quantized, though the GPU has room for them in BF16, faster and nearer to a CPU"
WOULD_UNPACK = Advice(f"{_ROOM}: --weights-as unpacked", f'{_ROOM}: unpack="fastest"')
"""What is said of a file's weights where only a copy that is larger than that is missing."""
_FLOATS = {"F32", "F16", "BF16"}
_BYTES = {"BF16": 2, "F32": 4}
_ASKED = {
    "fastest": Advice("--weights-as unpacked", 'unpack="fastest"'),
    "f32": Advice("--exact", 'unpack="f32"'),
}
_WITHOUT = {
    "fastest": Advice("make room for it, or leave out --weights-as", 'make room for it, or use unpack="auto"'),
    "f32": Advice(
        "make room for it, compute exactly on the CPU with -ngl 0, or leave out --exact",
        'make room for it, compute exactly on the CPU with gpu_layers=0, or use unpack="auto"',
    ),
}
# A fifth more than the file, as for the place of the blocks.
_MEMORY = 1.2


def copy_kind(library: Library, options: BackendOptions, path: Path, layers: int) -> str:
    """Return what a GPU reads in place of a quantized file: a copy in "BF16" or "F32", or "" for the file as it is.

    layers: the blocks on GPUs, -1 for all. Only NVIDIA GPUs read copies, since nothing was measured on others. Raises
    BackendError where `options.unpack` asks for a copy that they cannot read, and what `open_model` raises.
    """
    if options.unpack == "off" or options.rpc or not _could_copy(library, path, layers):
        return ""
    kind = _kind(options)
    lack = _lack(library, options, path, layers)
    if not lack and (options.unpack != "auto" or _is_small(path, kind)):
        return kind
    if options.unpack == "auto":
        return ""
    raise BackendError(
        f"{_ASKED[options.unpack]} needs a copy of {path.name} in {kind} on the GPU ({_gb(copy_bytes(path, kind))}), and {lack}",
        _WITHOUT[options.unpack],
    )


def has_room(library: Library, options: BackendOptions, path: Path, layers: int) -> bool:
    """Return whether NVIDIA GPUs that hold a whole quantized model could read a copy of it. Raises what `open_model` does."""
    return _could_copy(library, path, layers) and not _lack(library, options, path, layers)


def copy_bytes(path: Path, kind: str) -> int:
    """Return about how many bytes a copy takes."""
    return _BYTES[kind] * open_model(path).parameters


def lack_of_copy(library: Library, options: BackendOptions, path: Path, layers: int) -> str:
    """Return in words why a GPU reads a file as it is although it would read a copy at another time; "" where it does not.

    Raises as `copy_kind`.
    """
    if options.unpack != "auto" or options.rpc or layers != -1 or not _could_copy(library, path, layers):
        return ""
    large = _MEMORY * copy_bytes(path, "BF16") > sum(d.memory_total for d in _used(library, options))
    if large or not _is_small(path, "BF16"):
        return ""
    lack = _lack(library, options, path, layers)
    return lack and f"{path.name} is not read as an unpacked copy this time: {lack}"


def lack_of_asking(library: Library, options: BackendOptions, path: Path, layers: int) -> str:
    """Return in words why a file is not read under settings that nobody asked for; "" where it can be.

    Either it cannot be read so, or that would make a large copy. Raises what `open_model` raises.
    """
    try:
        kind = copy_kind(library, options, path, layers)
    except BackendError as error:
        return error.message
    return "" if not kind or _is_small(path, kind) else f"that would make a copy of {_gb(copy_bytes(path, kind))}"


def file_to_load(
    library: Library, options: BackendOptions, path: Path, layers: int
) -> tuple[str, Path, IO[str] | None]:
    """Return what `copy_kind` returns, the file to load, which is the copy or `path`, and what `hold_copy` keeps open.

    A copy that nobody asked for and that cannot be read is done without, with a LagerWarning. Raises as `copy_kind` and
    `hold_copy` for one that was asked for.
    """
    why = lack_of_copy(library, options, path, layers)
    try:
        if kind := copy_kind(library, options, path, layers):
            return kind, *hold_copy(path, kind)
    except LagerError as error:
        if options.unpack != "auto":
            raise
        why = str(error)
    if why:
        words = f"{why}; the GPU reads the weights as they are in the file, which moves scores"
        warnings.warn(words, LagerWarning, stacklevel=3)
    return "", path, None


def say_weights(library: Library, options: BackendOptions, path: Path, layers: int) -> str:
    """Return in words how GPUs that hold a whole quantized model read its weights; "" elsewhere. Raises as `copy_kind`."""
    if layers != -1 or kinds_of(path) <= _FLOATS:
        return ""
    if kind := copy_kind(library, options, path, layers):
        return f"unpacked to {kind} for the GPU: {copy_place(path, kind)}"
    if options.unpack == "auto" and has_room(library, options, path, layers):
        return str(WOULD_UNPACK)
    lack = lack_of_copy(library, options, path, layers) or "no NVIDIA GPU has room for them in BF16"
    return "as they are in the file" + ("" if options.unpack == "off" else f": {lack}")


def say_new_copy(library: Library, options: BackendOptions, path: Path, layers: int) -> str:
    """Return in words which copy the first load of a file makes; "" where there is none to make. Raises as `copy_kind`."""
    kind = copy_kind(library, options, path, layers)
    if not kind or copy_place(path, kind).exists():
        return ""
    size, place = copy_bytes(path, kind) / 1e6, copy_place(path, kind).parent
    return f"unpacking {path.name} to {kind} for the GPU: a copy of {size:.0f} MB in {place}, made once"


def _could_copy(library: Library, path: Path, layers: int) -> bool:
    """Whether an NVIDIA GPU computes blocks of a quantized file."""
    return bool(layers) and not kinds_of(path) <= _FLOATS and any(map(_is_nvidia, library.devices()))


def _lack(library: Library, options: BackendOptions, path: Path, layers: int) -> str:
    """Why GPUs cannot read a copy of a file now, in words; "" where they can."""
    kind = _kind(options)
    need, place = _MEMORY * copy_bytes(path, kind), copy_place(path, kind)
    free, disk = sum(d.memory_free for d in _used(library, options)), _free_on_disk()
    if need > free:
        return f"with what it computes in, that takes {_gb(need)} of GPU memory, of which {_gb(free)} are free"
    if layers != -1:
        every = Advice("-ngl all puts all there", 'gpu_layers="all" puts all there')
        return f"only {layers} of {open_model(path).info.n_blocks} blocks lie on the GPU ({every})"
    # What nobody asked for leaves half of the room to others.
    if not place.exists() and (2 if options.unpack == "auto" else 1) * copy_bytes(path, kind) > disk:
        return f"only {_gb(disk)} are free on the disk of {place.parent}"
    return ""


def _is_small(path: Path, kind: str) -> bool:
    """Whether a copy is read that nobody asked for."""
    return copy_place(path, kind).exists() or copy_bytes(path, kind) <= UNASKED


def _kind(options: BackendOptions) -> str:
    return "F32" if options.unpack == "f32" else "BF16"


def _used(library: Library, options: BackendOptions) -> list[Device]:
    """The NVIDIA GPUs that hold the model."""
    gpus = list(gpus_of(library))
    if options.split_mode == "none":
        gpus = gpus[options.main_gpu : options.main_gpu + 1]
    return list(filter(_is_nvidia, gpus))


def _is_nvidia(device: Device) -> bool:
    return device.name.startswith("CUDA")


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def _free_on_disk() -> int:
    place = or_nowhere(unpacked_folder)
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return 0
