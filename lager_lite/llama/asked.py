"""What a person asked for that a library cannot do, or that holds already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import Advice, BackendError
from .library import Device, Library
from .options import BackendOptions
from .products import Products

_BUILD = "build one with lager-lite backend build --cuda (or --metal)"


def unmet(library: Library, options: BackendOptions) -> str:
    """Return in words that GPUs are asked for which the library does not have; "" where it has them, or nobody asked.

    Servers of `BackendOptions.rpc` count once they are registered. Raises BackendError where `main_gpu` is the number
    of a GPU that is not there.
    """
    gpus = gpus_of(library)
    number = options.main_gpu
    if number and number not in range(len(gpus)):
        argument = Advice(f"--main-gpu {number}", f"main_gpu={number}")
        if not gpus:
            raise BackendError(f"{argument}: this library has no GPU device", f"leave it out, or {_BUILD}")
        names = ", ".join(f"{i} ({device.description})" for i, device in enumerate(gpus))
        raise BackendError(f"{argument}: there is no such GPU", f"choose one of {names}")
    if gpus:
        return ""
    if options.gpu_layers not in ("auto", 0):
        asked = Advice(f"-ngl {options.gpu_layers}", f"gpu_layers={options.gpu_layers!r}")
    elif options.split_mode == "row":
        asked = Advice("-sm row", 'split_mode="row"')
    else:
        return ""
    return f"{asked}: this library has no GPU device, so the CPU computes everything; {_BUILD}"


def heeded(library: Library, options: BackendOptions, layers: int, products: Products) -> BackendOptions:
    """Return the options without `steady`, where it would change nothing but the speed.

    So it is where our products and our attention compute every block on the CPU: no row's bits depend on others.
    layers: the blocks on GPUs.
    """
    here = not layers and not options.rpc
    alone = here and bool(products.unpack) and library.ordered_attention_version() is not None
    return replace(options, steady=False) if alone else options


def gpus_of(library: Library) -> Sequence[Device]:
    """Return the devices that are neither the CPU nor what only helps it."""
    return [device for device in library.devices() if device.kind not in ("CPU", "accelerator")]
