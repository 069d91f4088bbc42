"""A library that was built proves itself in a child process before it takes another one's place.

A build can succeed and give a library that crashes: a toolchain with its own static C++ library made one that died
in its first regular expression beside numpy. So the new library is loaded from its wheel, tokenizes, and reads the
states of a tiny model on every device. They must be near those that the formulas give.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import BackendError, error_from_json
from .backbone import Backbone
from .guard import FAILED, answer_parent
from .library import ENDING, Library, load
from .native_tap import KNOWN_VERSIONS
from .options import BackendOptions
from .probe import right_states, write_probe

_PATIENCE = 300.0
_TEXT = "Grade it: 1 + 1 = 2, it's 3.5% of 10,000\n\n" * 4
# The largest difference of a state over the largest number in it. A GPU may round to TF32 (seen: 3e-3), and the default
# settings round to BF16 (seen: 8e-4). Exact settings on a CPU round to float32 alone (seen: 2e-7).
_NEAR, _EXACT = 0.02, 1e-4
# The child looks for modules in the new wheel first, and then exactly where its parent does.
_CHILD = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); "
    "from lager_lite.llama.proof import prove_in_child; prove_in_child(sys.argv[2])"
)


@dataclass(frozen=True)
class _Trial:
    """One way to read the tiny model.

    - `name`: the device.
    - `kind`: the type of the model's matrices.
    - `options`: the settings.
    - `near`: the largest difference from the right states, over the largest number in them.
    """

    name: str
    kind: str
    options: BackendOptions
    near: float


def prove(wheel: Path, folder: Path) -> str:
    """Load a wheel's library in a child process, and run a tiny model through its tap on every device.

    folder: an existing folder for what is unpacked. Returns the devices that were tried, in words. Raises BackendError
    where the child crashes, takes longer than 5 minutes, or reads states that cannot be right.
    """
    place = folder / "proof"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place)
    return prove_folder(place)


def prove_folder(place: Path) -> str:
    """Do what `prove` does, for a folder that holds the package llama_cpp."""
    environment = {k: v for k, v in os.environ.items() if k not in ("LLAMA_CPP_LIB_PATH", "LAGER_LITE_TAP")}
    command = [sys.executable, "-c", _CHILD, "\n".join([str(place), *sys.path]), str(place)]
    try:
        done = subprocess.run(
            command,
            env={**environment, "GGML_NO_BACKTRACE": "1"},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _refused(f"a tiny model took it longer than {_PATIENCE:.0f} s") from None
    told = done.stdout.strip().splitlines()
    if done.returncode == 0 and told:
        return told[-1]
    if done.returncode == FAILED and told:
        raise _refused(error_from_json(told[-1]).message)
    lines = [line.strip().removeprefix(ENDING) for line in done.stderr.splitlines() if line.strip()]
    end = signal.Signals(-done.returncode).name if done.returncode < 0 else f"code {done.returncode}"
    raise _refused(f"a process that used it ended with {end}{': ' + lines[-1] if lines else ''}")


def _refused(reason: str) -> BackendError:
    return BackendError(
        f"the new library was built but not installed: {reason}",
        "the library that was installed before is still there; try another compiler, or report it with the one used",
    )


def prove_in_child(folder: str) -> None:
    """Be the child process: print the devices and end with code 0, or print the error as JSON and end with code 3."""
    answer_parent(lambda: try_devices(load(), Path(folder)))


def try_devices(library: Library, folder: Path) -> str:
    """Read a tiny model's states on every device in this process, which may crash, and return the devices in words.

    Raises BackendError where the library has no native tap, or a device's states are not those of the model.
    """
    if library.native_tap_version() not in KNOWN_VERSIONS:
        raise BackendError(f"the library in {library.folder} has no native tap, although it was patched")
    names: list[str] = []
    for trial in _trials(library):
        with Backbone(write_probe(folder / "probe.gguf", trial.kind), trial.options) as backbone:
            tokens = backbone.tokenize(_TEXT, parse_special=False, start=True)
            (found,) = backbone.read_states([tokens])
        right = right_states(tokens, trial.kind)
        off = float(np.abs(found.states - right).max() / np.abs(right).max())
        if not off <= trial.near:
            raise BackendError(f"the {trial.name} computes other states than it should (a difference of {off:.2g})")
        names += [] if trial.name in names else [trial.name]
    return ", ".join(names)


def _trials(library: Library) -> Iterator[_Trial]:
    for kind in ("F32", "Q8_0"):
        yield _Trial("CPU", kind, BackendOptions.exact(gpu_layers=0), _EXACT)
        yield _Trial("CPU", kind, BackendOptions(gpu_layers=0), _NEAR)
    gpus = [device.name for device in library.devices() if device.kind in ("GPU", "integrated GPU")]
    for number, name in enumerate(gpus):
        options = BackendOptions.exact(gpu_layers="all", split_mode="none", main_gpu=number)
        yield _Trial(name, "F32", options, _NEAR)
