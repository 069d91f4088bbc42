"""The first load of an unknown model file, in a process that may die.

llama.cpp ends the whole process on some damaged files that no check of ours foresees. So a file that
was never loaded here before is loaded in a child process first: it opens the file, tokenizes, and
decodes two short prompts with the tap on. Its death becomes an error; its success is remembered.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..backbones import ModelInfo, open_model
from ..errors import LagerError, ModelFileError, error_from_json, error_to_json
from ..system import loaded_folder, offline
from .backbone import Backbone
from .library import ENDING, SUPPORTED_VERSIONS
from .options import BackendOptions

TURN_OFF = "--no-guard"
_FAILED = 3
_SLOW_DISK = 20e6
_SHOWN = 1000  # characters: a CUDA error names the call, the file and the line behind its own words
_PROBE = '<|im_start|>user\nGrade it: 1 + 1 = 2, café, \n\n[INST] {"a": 1}</s>'
# The child searches modules exactly where its parent does; `-c` alone would put the working folder first, and
# until that is mended nothing but built-in modules may be imported.
_CHILD = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); "
    "from lager_lite.llama.guard import run_child; run_child(*sys.argv[2:])"
)


def check_loads(path: str | Path, options: BackendOptions = BackendOptions(), *, patience: float = 120) -> bool:
    """Load a file in a child process unless that worked before; True where a child was started.

    A file is known by its fingerprint, the size and modification time of all parts, llama.cpp's
    version and where its blocks are put. patience: seconds for the child, to which a file's own
    reading time at 20 MB/s is added. With `options.rpc` nothing is tried: the file may be too large for
    this machine alone. Raises ModelFileError where the child dies or takes longer,
    BackendError where llama.cpp refuses the file, and what `open_model` raises.
    """
    if options.rpc:
        return False
    info = open_model(path).info
    mark = loaded_folder() / _key(info, options)
    if mark.exists():
        return False
    command = [sys.executable, "-c", _CHILD, "\n".join(sys.path), str(info.paths[0]), json.dumps(asdict(options))]
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1"}
    timeout = patience + info.size_bytes / _SLOW_DISK
    try:
        done = subprocess.run(command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise ModelFileError(f"loading {info.paths[0]} took longer than {timeout:.0f} s", _hint()) from None
    if done.returncode:
        raise _failure(info.paths[0], done)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError:
        pass  # a cache that cannot be written costs the same second again, nothing else
    return True


def try_model(path: str | Path, options: BackendOptions = BackendOptions()) -> None:
    """Load a model and decode two short prompts in this very process, which may die of it.

    Raises what `Backbone` raises.
    """
    with Backbone(path, options) as backbone:
        trusted = backbone.tokenize(_PROBE, parse_special=True, start=True)
        plain = backbone.tokenize(_PROBE, parse_special=False)
        backbone.detokenize(trusted + plain)
        ahead = [] if backbone.adds_bos is None else [backbone.adds_bos]
        prompts = [np.array(ahead + trusted + tail, dtype=np.int32) for tail in (plain, plain[:1])]
        if not len(prompts[1]):
            raise ModelFileError(f"the tokenizer of {path} makes no tokens of a text", _hint())
        with backbone.context(max(map(len, prompts))) as context:
            for _ in context.evaluate(prompts):
                pass


def run_child(path: str, options: str) -> None:
    """The child: exit code 0 where the file loads; else the error as JSON on stdout and code 3."""
    _leave_no_core()
    try:
        with offline.refusing():
            try_model(path, BackendOptions(**json.loads(options)))
    except LagerError as error:
        print(error_to_json(error), flush=True)
        os._exit(_FAILED)
    # What llama.cpp frees at the end of a process is not what this is about.
    os._exit(0)


def _key(info: ModelInfo, options: BackendOptions) -> str:
    stats = [p.stat() for p in info.paths]
    facts = [info.fingerprint, *((s.st_size, s.st_mtime_ns) for s in stats), SUPPORTED_VERSIONS[-1], options.gpu_layers]
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def _failure(path: Path, done: subprocess.CompletedProcess[bytes]) -> LagerError:
    if done.returncode == _FAILED:
        return error_from_json(done.stdout.decode("utf-8", "replace").strip().splitlines()[-1])
    lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    said = f": {lines[-1].strip().removeprefix(ENDING)[:_SHOWN]}" if lines else ""
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        memory = ", often for want of memory" if name == "SIGKILL" else ""
        return ModelFileError(f"llama.cpp dies of {path} ({name}{memory}){said}", _hint())
    return ModelFileError(f"llama.cpp ends with code {done.returncode} on {path}{said}", _hint())


def _hint() -> str:
    return f"download the file again; {TURN_OFF} loads it all the same, at the risk of the whole run"


def _leave_no_core() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
