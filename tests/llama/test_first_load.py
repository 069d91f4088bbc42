"""A library that cannot run here ends a child process, and the error says why."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lager_lite.errors import BackendError
from lager_lite.llama import first_load
from lager_lite.llama.first_load import check_library
from lager_lite.llama.library import load


@pytest.fixture
def unloaded(monkeypatch, tmp_path):
    """This process as it is before it loads the library, with a cache of its own and the library's folder."""
    folder = load().folder
    monkeypatch.setattr(
        first_load, "load", type("Fresh", (), {"cache_info": lambda: load.cache_info()._replace(currsize=0)})
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def test_a_library_is_tried_once(unloaded, monkeypatch) -> None:
    assert [check_library(), check_library()] == [True, False]
    monkeypatch.setattr(first_load, "processor", dict)  # as another processor's extensions
    assert check_library()


def test_a_library_for_another_processor_is_refused_with_what_is_missing(unloaded, monkeypatch) -> None:
    built_for = first_load._built_for(unloaded)
    here = first_load.processor()
    if not built_for or not here:
        pytest.skip("nobody can tell what this library was compiled for")
    assert not first_load._lacking(built_for)
    monkeypatch.setattr(first_load, "processor", lambda: {**here, built_for[-1]: False})
    for _ in range(2):  # such a library is not remembered as a good one
        with pytest.raises(BackendError, match=f"was compiled for {built_for[-1]}, which this processor does not have"):
            check_library()


def test_an_extension_that_numpy_does_not_know_is_not_missing(monkeypatch) -> None:
    monkeypatch.setattr(first_load, "processor", lambda: {"AVX2": True, "AVX512F": False})
    assert first_load._lacking(["AVX2", "AVX512F", "AVX512BF16", "made up"]) == ["AVX512F"]


@pytest.mark.skipif(sys.platform != "linux", reason="the names of the files")
@pytest.mark.parametrize(
    "command", [("backend", "info"), ("doctor", "--no-trial"), ("drift", "-m", "tiny"), ("score", "-m", "tiny")]
)
def test_a_damaged_library_ends_no_command_without_a_word(command, unloaded, tmp_path, monkeypatch, tiny_model) -> None:
    damaged = tmp_path / "lib"
    shutil.copytree(unloaded, damaged)
    for path in damaged.glob("libllama.so*"):
        path.write_bytes(path.read_bytes()[:200_000])
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(damaged))
    monkeypatch.setenv("LAGER_LITE_GUARD", "1")
    (tmp_path / "items.jsonl").write_text('{"response": "R"}\n')
    words = [str(tiny_model) if word == "tiny" else word for word in command]
    words[1:1] = [str(tmp_path / "items.jsonl")] if "-m" in words else []
    done = subprocess.run(
        [sys.executable, "-m", "lager_lite", *words], capture_output=True, text=True, check=False, cwd=Path(tmp_path)
    )
    assert done.returncode == 1
    assert f"Error: the llama.cpp library in {damaged} ends a process that loads it (SIG" in done.stderr
    assert "Try: unset LLAMA_CPP_LIB_PATH" in done.stderr


def test_a_path_that_is_set_but_empty_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", "")
    command = [sys.executable, "-m", "lager_lite", "backend", "info"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Try: LLAMA_CPP_LIB_PATH is set but empty: unset it" in done.stderr
