"""A library that was built proves itself in a child process before it takes another one's place.

A build can succeed and give a library that crashes: a toolchain with its own static C++ library made one that died
in its first regular expression beside numpy. So the new library is loaded from its wheel, tokenizes, and reads the
states of a tiny model on every device. The states on a GPU must be near those on the CPU.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import BackendError, error_from_json
from .backbone import Backbone
from .guard import FAILED, answer_parent
from .library import ENDING, Library, load
from .native_tap import KNOWN_VERSIONS
from .options import BackendOptions

_PATIENCE = 300.0
_TEXT = "Grade it: 1 + 1 = 2, it's 3.5% of 10,000\n\n" * 4
# The largest difference of a state over the largest number in it: a GPU may round to TF32 (seen: 3e-3).
_NEAR = 0.02
_WIDTH, _HEADS, _INNER, _BLOCKS = 64, 4, 128, 2
# The child looks for modules in the new wheel first, and then exactly where its parent does.
_CHILD = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); "
    "from lager_lite.llama.proof import prove_in_child; prove_in_child(sys.argv[2])"
)


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

    Raises BackendError where the library has no native tap, or a device computes what another one does not.
    """
    if library.native_tap_version() not in KNOWN_VERSIONS:
        raise BackendError(f"the library in {library.folder} has no native tap, although it was patched")
    path = write_probe(folder / "probe.gguf")
    expected: np.ndarray | None = None
    names = []
    for name, options in _places(library):
        with Backbone(path, options) as backbone:
            tokens = backbone.tokenize(_TEXT, parse_special=False, start=True)
            (found,) = backbone.read_states([tokens])
        expected = found.states if expected is None else expected
        off = float(np.abs(found.states - expected).max() / np.abs(expected).max())
        if not off <= _NEAR:
            raise BackendError(f"{name} computes other states than the CPU (a difference of {off:.2g})")
        names.append(name)
    return ", ".join(names)


def _places(library: Library) -> Iterator[tuple[str, BackendOptions]]:
    yield "CPU", BackendOptions.exact(gpu_layers=0)
    gpus = [device.name for device in library.devices() if device.kind in ("GPU", "integrated GPU")]
    for number, name in enumerate(gpus):
        yield name, BackendOptions.exact(gpu_layers="all", split_mode="none", main_gpu=number)


def write_probe(path: Path) -> Path:
    """Write a llama of two blocks with random weights and a vocabulary of the 256 bytes; return its path."""
    from gguf import GGUFWriter

    rng = np.random.default_rng(0)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    tokens = [chr(byte) if byte in printable else chr(256 + hidden.index(byte)) for byte in range(256)]
    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_BLOCKS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges(["o r"])
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    matrices = {"attn_q": (_WIDTH, _WIDTH), "attn_k": (_WIDTH, _WIDTH), "attn_v": (_WIDTH, _WIDTH)}
    matrices |= {"attn_output": (_WIDTH, _WIDTH), "ffn_gate": (_INNER, _WIDTH), "ffn_up": (_INNER, _WIDTH)}
    matrices |= {"ffn_down": (_WIDTH, _INNER)}
    writer.add_tensor("token_embd.weight", rng.standard_normal((len(tokens), _WIDTH)).astype(np.float32))
    writer.add_tensor("output_norm.weight", np.ones(_WIDTH, np.float32))
    for block in range(_BLOCKS):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{block}.{name}.weight", np.ones(_WIDTH, np.float32))
        for name, shape in matrices.items():
            values = rng.standard_normal(shape) / shape[1] ** 0.5
            writer.add_tensor(f"blk.{block}.{name}.weight", values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
