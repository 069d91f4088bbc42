"""The first load of an unknown model file, in a process that may crash.

llama.cpp ends the whole process on some damaged files that our own checks do not catch. So a file that was never
loaded on this machine is first loaded in a child process, which opens the file, tokenizes, and decodes two short
prompts with the tap on, alone and together. A crash of the child becomes an error; a success is remembered, with how
far the prompts' states depended on their company.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

import numpy as np

from ..backbones import ModelInfo, open_model
from ..errors import LagerError, LagerWarning, ModelFileError, error_from_json, error_to_json
from ..system import loaded_folder, offline, or_nowhere, write_beside
from .asked import heeded, unmet
from .backbone import Backbone
from .company import measure_company
from .copies import copy_kind
from .first_load import check_library, leave_no_core
from .library import ENDING, load
from .options import BackendOptions
from .placing import gpu_layers
from .products import choose_products
from .ways import LEAST_ROWS, MORE_ROWS, Ways, has_ways, recall_ways, remember_least_rows, remember_ways

TURN_OFF = "--no-guard"
FAILED = 3
_SLOW_HINT = (
    f"run again when the machine is less busy; {TURN_OFF} loads the file without this check, in which it is tried in several "
    "ways; or download it again, since a damaged file may never end"
)
# Bytes of a file that the slowest machine reads, and then computes with, in a second.
_SLOW = 10e6
# What takes a second is timed well enough by one round.
_TIMED_TOKENS, _TIMED_ROUNDS, _ENOUGH = 96, 3, 1.0
_HARMLESS = ("ctx_size", "threads", "verbose", "rpc")  # settings that decide neither a crash nor a bit
_SHOWN = 1000  # characters: a CUDA error names the call, the file and the line behind its own words
_PROBE = '<|im_start|>user\nGrade it: 1 + 1 = 2, café, \n\n[INST] {"a": 1}</s>'
# The child looks for modules exactly where its parent does. `-c` alone would put the working folder first, so only
# built-in modules may be imported before the path is set.
_CHILD = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); "
    "from lager_lite.llama.guard import run_child; run_child(*sys.argv[2:])"
)


def check_loads(path: str | Path, options: BackendOptions = BackendOptions(), *, patience: float = 120) -> bool:
    """Load a file in a child process unless that has succeeded before; return whether a child was started.

    A file is recognized by its fingerprint, the size and modification time of all its parts, the library with its way
    to compute, the devices, and the place of the blocks. patience: the seconds that the child gets, in addition to one for each 10 MB of the
    file. With `options.rpc` nothing is tried, because the file may be too large for this machine alone.

    Raises ModelFileError where the child crashes or takes longer, BackendError where llama.cpp refuses the file, and
    what `check_library` and `open_model` raise.
    """
    if options.rpc:
        return False
    check_library()
    unmet(load(), options)  # which refuses in words of this process's door
    info = open_model(path).info
    mark = or_nowhere(loaded_folder) / _key(info, options)
    if mark.exists():
        return False
    command = [sys.executable, "-c", _CHILD, "\n".join(sys.path), str(info.paths[0]), json.dumps(asdict(options))]
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1"}
    timeout = patience + info.size_bytes / _SLOW
    try:
        done = subprocess.run(command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise ModelFileError(f"loading {info.paths[0]} took longer than {timeout:.0f} s", _SLOW_HINT) from None
    if done.returncode:
        raise _failure(info.paths[0], done)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        write_beside(mark, lambda file: file.write(done.stdout.decode()), text=True)
    except (LagerError, OSError):
        pass  # Without the mark the child runs again the next time, which costs a second and nothing else.
    return True


def known_company(path: str | Path, options: BackendOptions = BackendOptions()) -> float | None:
    """Return what `measure_company` found when the file was tried under these settings; None where it was not."""
    if options.rpc:
        return None
    try:
        return float((or_nowhere(loaded_folder) / _key(open_model(path).info, options)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def try_model(path: str | Path, options: BackendOptions = BackendOptions()) -> float:
    """Load a model and decode short prompts in this process, which llama.cpp may end.

    Returns what `measure_company` finds. Raises what `Backbone` raises.
    """
    with Backbone(path, options) as backbone:
        trusted = backbone.tokenize(_PROBE, parse_special=True, start=True)
        plain = backbone.tokenize(_PROBE, parse_special=False)
        backbone.detokenize(trusted + plain)
        ahead = [] if backbone.adds_bos is None else [backbone.adds_bos]
        tails = (plain, plain[:1], plain[1:8])
        prompts = [np.array(ahead + trusted + tail, dtype=np.int32) for tail in tails]
        if not len(prompts[1]):
            raise ModelFileError(f"the tokenizer of {path} turns a text into no tokens", _hint())
        with backbone.context(max(map(len, prompts))) as context:
            fits = max(map(len, prompts)) <= context.capacity
            return measure_company(context, prompts, cut=fits and backbone.can_share and not options.steady)


def settle_company(path: Path, options: BackendOptions) -> float:
    """Return what `try_model` finds; where company makes a difference, find out how many rows would make none.

    Only the CPU's own kernels are helped in this way: a GPU chooses among more of them.
    """
    library = load()
    difference = try_model(path, options)
    on_cpu = not gpu_layers(library, options.gpu_layers, path)
    if not difference or not on_cpu or choose_products(library, options.unpack, path).unpack:
        return difference
    for rows in MORE_ROWS:
        remember_least_rows(library, path, rows)
        found = try_model(path, options)
        if not found:
            return found
    remember_least_rows(library, path, LEAST_ROWS)
    return difference


def settle_ways(path: Path, options: BackendOptions) -> None:
    """Measure how fast a file is read in each way, where that is open and was not measured for its kind yet."""
    library = load()
    if options.unpack != "auto" or not has_ways(library, path) or recall_ways(library, path):
        return
    if gpu_layers(library, options.gpu_layers, path):
        return
    unpacked, file = (_speed(path, replace(options, unpack=way)) for way in ("fastest", "off"))
    steady = try_model(path, replace(options, unpack="off")) == 0
    remember_ways(library, path, Ways(unpacked, file, steady))


def _speed(path: Path, options: BackendOptions) -> float:
    """Tokens per second of plain prefill, the best of a few short prompts."""
    with Backbone(path, options) as backbone, backbone.context(_TIMED_TOKENS, tap=False) as context:
        prompt = np.random.default_rng(0).integers(0, backbone.n_vocab, _TIMED_TOKENS).astype(np.int32)
        times = []
        for _ in range(_TIMED_ROUNDS):
            start = time.perf_counter()
            context.run_plain(prompt)
            context.wait()
            times.append(time.perf_counter() - start)
            if times[-1] > _ENOUGH:
                break
        return _TIMED_TOKENS / min(times)


def run_child(path: str, options: str) -> None:
    """Load a file as the child process and exit: with code 0 and the difference that company makes where it loads, else
    with code 3 and the error as JSON."""
    leave_no_core()

    def load_file() -> float:
        """Load the file without a network, and return the difference that company makes."""
        # The parent gives the same warnings; here they would stand in for a crash's last line.
        warnings.simplefilter("ignore", LagerWarning)
        with offline.refusing():
            chosen = BackendOptions(**json.loads(options))
            difference = settle_company(Path(path), chosen)
            settle_ways(Path(path), chosen)
        return difference

    answer_parent(load_file)


def answer_parent(find: Callable[[], object]) -> NoReturn:
    """End this process with code 0, or with code FAILED where `find` raises a LagerError.

    The last line of stdout is then what it returned, or the error as JSON.
    """
    try:
        told = find()
    except LagerError as error:
        print(error_to_json(error), flush=True)
        os._exit(FAILED)
    print(told, flush=True)
    # Leave at once: what llama.cpp frees and does at the end of a process is not tried.
    os._exit(0)


def _key(info: ModelInfo, options: BackendOptions) -> str:
    stats = [p.stat() for p in info.paths]
    library = load()
    # "auto" is the place that there is room for now.
    layers = gpu_layers(library, options.gpu_layers, info.paths[0])
    products = choose_products(library, options.unpack, info.paths[0])
    used = replace(heeded(library, options, layers, products), gpu_layers=layers)
    settings = {k: v for k, v in asdict(used).items() if k not in _HARMLESS}
    settings["copy"] = copy_kind(library, options, info.paths[0], layers)
    devices = [(device.name, device.description) for device in library.devices()]
    sizes = [(s.st_size, s.st_mtime_ns) for s in stats]
    facts = [info.fingerprint, sizes, library.numerics, str(library.folder), library.system_info(), devices, settings]
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def _failure(path: Path, done: subprocess.CompletedProcess[bytes]) -> LagerError:
    if done.returncode == FAILED:
        return error_from_json(done.stdout.decode("utf-8", "replace").strip().splitlines()[-1])
    lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    said = f": {lines[-1].strip().removeprefix(ENDING)[:_SHOWN]}" if lines else ""
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        memory = ", often for lack of memory" if name == "SIGKILL" else ""
        return ModelFileError(f"llama.cpp crashed while loading {path} ({name}{memory}){said}", _hint())
    return ModelFileError(f"llama.cpp ended with exit code {done.returncode} while loading {path}{said}", _hint())


def _hint() -> str:
    again = "download the file again; where other files crash too, compile the library again (lager-lite backend build --again)"
    return f"{again}; {TURN_OFF} loads it without this check, and a crash then ends the whole run"
