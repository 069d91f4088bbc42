"""A library that was built is tried in a child process before it replaces another one."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lager_lite.errors import BackendError
from lager_lite.llama import proof
from lager_lite.llama.backbone import Backbone
from lager_lite.llama.library import load
from lager_lite.llama.native_tap import KNOWN_VERSIONS

REFUSED = "the new library was built but not installed: "
patched = pytest.mark.skipif(
    load().native_tap_version() not in KNOWN_VERSIONS, reason="the loaded llama.cpp has no native tap"
)


@pytest.fixture
def package(tmp_path):
    """A folder with a package llama_cpp of one file, to be written by the test."""
    (tmp_path / "place" / "llama_cpp").mkdir(parents=True)
    return tmp_path / "place" / "llama_cpp" / "__init__.py"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "a process that used it ended with SIGABRT"),
        (
            "import sys; sys.stderr.write('no symbol x\\n'); sys.exit(7)",
            "a process that used it ended with code 7: no symbol x",
        ),
        ("raise ImportError('broken')", "llama-cpp-python cannot be imported: broken"),
    ],
    ids=["crash", "exit", "import"],
)
def test_a_library_that_does_not_load_is_refused_with_the_reason(package, code, reason) -> None:
    package.write_text(code)
    with pytest.raises(BackendError) as caught:
        proof.prove_folder(package.parent.parent)
    # An emulator adds a line of its own to a crash.
    assert caught.value.message.startswith(REFUSED + reason)
    assert caught.value.hint.startswith("the library that was installed before is still there")


def test_a_library_that_hangs_is_refused(package, monkeypatch) -> None:
    package.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(proof, "_PATIENCE", 1.0)
    with pytest.raises(BackendError, match=f"{REFUSED}a tiny model took it longer than 1 s"):
        proof.prove_folder(package.parent.parent)


def test_a_stock_library_is_no_patched_one(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(type(load()), "native_tap_version", lambda self: None)
    with pytest.raises(BackendError, match="has no native tap, although it was patched"):
        proof.try_devices(load(), tmp_path)


@patched
def test_a_patched_wheel_proves_itself(tmp_path) -> None:
    """The package in use, packed as a wheel is."""
    import llama_cpp

    installed, wheel = Path(llama_cpp.__file__).parent, tmp_path / "w.whl"
    shutil.copytree(installed, tmp_path / "copy" / "llama_cpp", ignore=shutil.ignore_patterns("__pycache__"))
    if load().folder != installed / "lib":
        pytest.skip("the library in use is not the installed package's own")
    with zipfile.ZipFile(wheel, "w") as packed:
        for path in (tmp_path / "copy").rglob("*"):
            packed.write(path, path.relative_to(tmp_path / "copy"))
    assert proof.prove(wheel, tmp_path).startswith("CPU")


@patched
def test_the_states_of_the_tiny_model_are_those_of_the_formulas(tmp_path) -> None:
    assert proof.try_devices(load(), tmp_path).split(", ")[0] == "CPU"


@patched
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("change", [1.1, np.nan], ids=["off", "nan"])
def test_a_library_that_reads_other_states_is_refused(tmp_path, monkeypatch, change, number) -> None:
    """Be it on a matrix of floats or a quantized one, exactly or as fast as it can."""
    read, calls = Backbone.read_states, []

    def changed(self, prompts):
        (found,) = read(self, prompts)
        calls.append(found)
        states = found.states.copy()
        states[1] *= change if len(calls) == number + 1 else 1
        return [replace(found, states=states)]

    monkeypatch.setattr(Backbone, "read_states", changed)
    with pytest.raises(BackendError, match="the CPU computes other states than it should"):
        proof.try_devices(load(), tmp_path)
    assert len(calls) == number + 1
