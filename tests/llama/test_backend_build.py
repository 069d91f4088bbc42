"""Patching and building llama-cpp-python, without a compiler."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from lager_lite.errors import BackendError
from lager_lite.llama import library, pip
from lager_lite.llama import source as source_module
from lager_lite.llama.build import BuildRequest, Built, build, label
from lager_lite.llama.patching import apply_series, parse_patch
from lager_lite.llama.source import SHA256, in_order, leave_out_common, patch_series, set_version, unpack

building = importlib.import_module("lager_lite.llama.build")  # the function of that name hides the module
ROOT = Path(__file__).resolve().parents[2]
OLD = "one\ntwo\nthree\n"
FIRST = """--- a/src/x.cpp
+++ b/src/x.cpp
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
"""
PYPROJECT = """[project]
name = "llama_cpp_python"
dynamic = ["version"]

[tool.scikit-build]
wheel.packages = ["llama_cpp"]

[tool.scikit-build.metadata.version]
provider = "scikit_build_core.metadata.regex"
input = "llama_cpp/__init__.py"

[project.urls]
Homepage = "h"
"""


def test_the_series_applies_to_the_pinned_source(sdist_folder, tmp_path):
    changes = [c for p in patch_series() for c in parse_patch(p.name, p.read_text())]
    needed = {c.path for c in changes if not c.creates} - {c.path for c in changes if c.creates}
    for path in needed:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((sdist_folder / "vendor" / "llama.cpp" / path).read_bytes())
    changed = apply_series(tmp_path, patch_series())
    assert "include/llama-state-tap.h" in changed and needed < set(changed)
    context = (tmp_path / "src" / "llama-context.cpp").read_text()
    assert "llama_state_tap_version" in context and "llama_set_unpack" in context
    set_version(_copy(sdist_folder / "pyproject.toml", tmp_path), "0.3.36+lager.1")


def _copy(path, folder):
    (folder / path.name).write_bytes(path.read_bytes())
    return folder / path.name


def test_patches_are_taken_in_the_order_of_their_numbers_without_a_gap():
    paths = [Path(f"{n:04d}-x.patch") for n in (2, 1, 3)]
    assert [p.name for p in in_order(paths)] == ["0001-x.patch", "0002-x.patch", "0003-x.patch"]
    with pytest.raises(BackendError, match="numbered 0001, 0003, expected 0001 and so on"):
        in_order([paths[1], paths[2]])
    with pytest.raises(BackendError, match="numbered 0001, 0001, 0002"):
        in_order([Path("0001-a.patch"), Path("0001-b.patch"), paths[0]])
    assert in_order(patch_series()) == patch_series()


def test_a_source_with_another_hash_is_refused(tmp_path):
    archive = tmp_path / "llama_cpp_python-0.3.36.tar.gz"
    archive.write_bytes(b"not it")
    with pytest.raises(BackendError) as caught:
        unpack(archive, tmp_path / "out")
    found = hashlib.sha256(b"not it").hexdigest()
    assert caught.value.message == f"{archive} has sha256 {found}, expected {SHA256}"
    assert not (tmp_path / "out").exists()
    with pytest.raises(BackendError, match="cannot read .*none.tar.gz: No such file or directory"):
        unpack(tmp_path / "none.tar.gz", tmp_path / "out")


def test_the_package_gets_a_local_version_and_keeps_its_own(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text(PYPROJECT)
    set_version(path, "0.3.36+lager.1.rpc")
    assert path.read_text() == (
        '[project]\nname = "llama_cpp_python"\nversion = "0.3.36+lager.1.rpc"\n\n'
        '[tool.scikit-build]\nwheel.packages = ["llama_cpp"]\n\n[project.urls]\nHomepage = "h"\n'
    )
    with pytest.raises(BackendError, match="does not take its version from the source"):
        set_version(path, "1")


def test_the_label_says_what_is_built_in_and_what_it_depends_on(tmp_path):
    patch = tmp_path / "0001-first.patch"
    patch.write_text(FIRST)
    found = label(["vulkan", "cuda", "vulkan"], [patch], "-DX=1")
    assert re.fullmatch(r"lager\.1\.cuda\.vulkan\.s[0-9a-f]{7}", found)
    assert found == label(["cuda", "vulkan"], [patch], "-DX=1")
    assert found != label(["cuda", "vulkan"], [patch], "-DX=2")
    patch.write_text(FIRST + " ")
    assert found != label(["cuda", "vulkan"], [patch], "-DX=1")


def test_the_common_library_is_left_out_of_the_pinned_source(sdist_folder, tmp_path):
    path = _copy(sdist_folder / "CMakeLists.txt", tmp_path)
    leave_out_common(path)
    assert "LLAMA_BUILD_COMMON ON" not in path.read_text() and "add_subdirectory(vendor/llama.cpp)" in path.read_text()
    with pytest.raises(BackendError, match="does not build llama.cpp's common library"):
        leave_out_common(path)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A source distribution of a few files with its own hash, and a pip that writes down what it is told."""
    root = "llama_cpp_python-0.3.36"
    archive = tmp_path / f"{root}.tar.gz"
    files = {"pyproject.toml": PYPROJECT, "vendor/llama.cpp/src/x.cpp": OLD, "vendor/llama.cpp/models/big.gguf": "x"}
    files["CMakeLists.txt"] = 'a()\n    set(LLAMA_BUILD_COMMON ON CACHE BOOL "Build" FORCE)\nb()\n'
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    (tmp_path / "0001-first.patch").write_text(FIRST)
    monkeypatch.setattr(source_module, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(building, "patch_series", lambda: [tmp_path / "0001-first.patch"])
    monkeypatch.setattr(building, "builds_folder", lambda: tmp_path / "builds")
    calls = []

    def run(arguments, *, environment=None, progress=None, **_):
        seen = {"command": arguments, **(environment or {})}
        calls.append(seen)
        if arguments[0] == "wheel":
            source = Path(arguments[-1])
            seen["source"] = (source / "vendor/llama.cpp/src/x.cpp").read_text()
            seen["files"] = sorted(p.name for p in source.rglob("*") if p.is_file())
            version = re.search('version = "(.*)"', (source / "pyproject.toml").read_text())[1]
            folder = Path(arguments[arguments.index("-w") + 1])
            folder.mkdir(exist_ok=True)
            (folder / f"llama_cpp_python-{version}-py3-none-any.whl").write_text("a wheel")
            progress(1, 2)
        if arguments[0] == "download":
            (Path(arguments[arguments.index("-d") + 1]) / archive.name).write_bytes(archive.read_bytes())

    monkeypatch.setattr(building, "run_pip", run)
    monkeypatch.setattr(source_module, "run_pip", run)
    monkeypatch.setattr(building, "prove", lambda wheel, folder: f"CPU ({wheel.suffix})")
    return archive, calls


def test_a_build_patches_and_installs(fake, monkeypatch):
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_NATIVE=OFF")
    said, steps = [], []
    built = build(BuildRequest(("cuda",), jobs=3), said.append, lambda *step: steps.append(step))
    assert re.fullmatch(r"0\.3\.36\+lager\.1\.cuda\.s[0-9a-f]{7}", built.version)
    assert (built.wheel, built.compiled, steps) == (None, True, [(1, 2)])
    download, wheel, install = fake[1]
    assert download["command"][:4] == ["download", "--no-binary", "llama-cpp-python", "--no-deps"]
    assert download["command"][-1] == "llama-cpp-python==0.3.36"
    assert "--no-cache-dir" in wheel["command"]
    assert wheel["CMAKE_ARGS"] == (
        "-DLLAVA_BUILD=OFF -DLLAMA_BUILD_COMMON=OFF -DGGML_RPC=ON -DGGML_BLAS=OFF -DGGML_CUDA=ON -DGGML_NATIVE=OFF"
    )
    assert wheel["CMAKE_BUILD_PARALLEL_LEVEL"] == "3"
    assert wheel["source"].startswith("one\nTWO\n") and "big.gguf" not in wheel["files"]
    assert install["command"][:3] == ["install", "--no-deps", "--force-reinstall"]
    assert said[1] == f"1 patch applied; compiling {built.version} for CPU, cuda, which takes minutes"
    assert said[3] == "a tiny model gives the states that it should on CPU (.whl); installing"


def test_the_same_build_is_compiled_once(fake, monkeypatch):
    first = build(BuildRequest())
    assert [call["command"][0] for call in fake[1]] == ["download", "wheel", "install"]
    fake[1].clear()
    other_environment = build(BuildRequest())
    assert [call["command"][0] for call in fake[1]] == ["install"] and not other_environment.compiled
    fake[1].clear()
    monkeypatch.setattr(building, "installed", lambda: first.version)
    assert build(BuildRequest()) == Built(first.version, None, compiled=False) and fake[1] == []
    assert build(BuildRequest(again=True)).compiled
    assert [call["command"][0] for call in fake[1]] == ["download", "wheel", "install"]


@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
def test_a_library_that_fails_its_proof_is_neither_installed_nor_kept(fake, monkeypatch, kept):
    def refuse(wheel, folder):
        raise BackendError("the new library was built but not installed: it crashed")

    if kept:
        build(BuildRequest())
    fake[1].clear()
    monkeypatch.setattr(building, "prove", refuse)
    with pytest.raises(BackendError, match="it crashed"):
        build(BuildRequest())
    assert [call["command"][0] for call in fake[1]] == ([] if kept else ["download", "wheel"])
    assert list(building.builds_folder().glob("*")) == []


def test_a_wheel_is_left_where_it_is_wanted_and_nothing_installed(invoke, fake, tmp_path):
    done = invoke("backend", "build", "--sdist", str(fake[0]), "--wheel", str(tmp_path / "out"), "--jobs", "1")
    assert done.exit_code == 0, done.output
    (wheel,) = (tmp_path / "out").iterdir()
    assert done.stdout == f"{wheel}\n" and wheel.name.startswith("llama_cpp_python-0.3.36+lager.1.s")
    assert [c["command"][0] for c in fake[1]] == ["wheel"]


def test_a_machine_without_a_compiler_is_told_before_anything_is_downloaded(invoke, fake, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(building.shutil, "which", lambda name: None)
    done = invoke("backend", "build")
    assert done.exit_code == 1 and fake[1] == []
    assert done.stderr.startswith(
        "Error: no C++ compiler was found (c++, g++, clang++)\nTry: install a C and C++ compiler"
    )


def pretend(monkeypatch, code):
    """Lets `run_pip` start this Python code in the place of pip."""
    start = subprocess.Popen
    monkeypatch.setattr(pip.subprocess, "Popen", lambda command, **how: start([sys.executable, "-c", code], **how))


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("", "-v shows everything that pip and the compiler print"),
        ("ERROR: No matching distribution found for x", "this step needs the network: try again when it is there"),
        ("No CMAKE_CXX_COMPILER could be found.", pip.COMPILER_HINT),
    ],
    ids=["any", "network", "compiler"],
)
def test_a_step_of_pip_that_fails_shows_the_end_of_what_was_said_and_a_hint(monkeypatch, said, hint):
    pretend(monkeypatch, f"for n in range(40): print('line', n)\nprint({said!r}); raise SystemExit(1)")
    with pytest.raises(BackendError) as caught:
        pip.run_pip(["wheel"])
    assert caught.value.message.startswith("pip wheel failed (exit code 1)\nline 16\n")
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ('CUDA_ARCHITECTURES is set to "native", but no GPU was detected.', "name the GPU to compile for"),
        ("Target links to:\n\n    CUDA::cublas\n\n  but the target was not found.", "install the whole CUDA toolkit"),
    ],
)
def test_the_first_errors_of_cmake_are_shown_and_not_what_pip_says_behind_them(monkeypatch, said, hint):
    noise = "for n in range(60): print('  pip line', n)\n"
    error = f"CMake Error at ggml/CMakeLists.txt:61 (add):\n  {said}\nCall Stack (most recent call first):\n  x.cmake\n"
    pretend(monkeypatch, f"{noise}print({error!r})\nprint({error.replace('61', '62')!r})\n{noise}raise SystemExit(1)")
    with pytest.raises(BackendError) as caught:
        pip.run_pip(["wheel"])
    wanted = [line.strip() for line in said.splitlines() if line.strip()]
    first, second = "CMake Error at ggml/CMakeLists.txt:61 (add):", "CMake Error at ggml/CMakeLists.txt:62 (add):"
    assert caught.value.message.splitlines()[1:] == [first, *wanted, second, *wanted]
    assert caught.value.hint.startswith(hint)


def test_metal_is_refused_at_once_where_there_is_none(invoke, fake, monkeypatch):
    monkeypatch.setattr(building.sys, "platform", "linux")
    done = invoke("backend", "build", "--metal")
    assert done.exit_code == 1 and fake[1] == []
    assert done.stderr.startswith("Error: Apple's Metal is only on macOS\nTry: build there, or here with --cuda")


def test_the_steps_of_ninja_and_make_are_told(monkeypatch):
    pretend(monkeypatch, "print('  [1/88] /usr/bin/c++ -c x'); print('x [2/88]'); print('[ 12%] Building')")
    steps = []
    pip.run_pip(["wheel"], progress=lambda done, of: steps.append((done, of)))
    assert steps == [(1, 88), (12, 100)]


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_an_interrupted_build_leaves_no_compiler_running(monkeypatch, tmp_path):
    """ninja ends its compilers when it is asked to stop; a child that does not listen is killed."""
    deaf = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('[1/2] c', flush=True)"
    ninja = f"""
import pathlib, signal, subprocess, sys
def stop(*_):
    pathlib.Path("asked").touch()
    sys.exit()
signal.signal(signal.SIGTERM, stop)
child = subprocess.Popen([sys.executable, "-c", {deaf + "; time.sleep(60)"!r}])
pathlib.Path("pid").write_text(str(child.pid))
child.wait()
"""
    monkeypatch.chdir(tmp_path)
    pretend(monkeypatch, ninja)

    def interrupt(done, steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pip.run_pip(["wheel"], progress=interrupt)
    assert Path("asked").exists()
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # until init has taken the killed process off the list
            os.kill(int(Path("pid").read_text()), 0)
            time.sleep(0.05)


def test_without_a_library_every_command_names_the_one_line_that_brings_it(invoke, monkeypatch, tiny_model, tmp_path):
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    library.load.cache_clear()
    path = tmp_path / "items.jsonl"
    path.write_text('{"id": "a", "response": "R"}\n')
    try:
        for words in (["score", path, "-m", tiny_model], ["doctor"], ["backend", "info"], ["bench", "-m", tiny_model]):
            done = invoke(*words)
            assert done.exit_code == 1, words
            assert (
                "Error: llama.cpp is not installed in this environment yet\nTry: lager-lite backend build "
                in done.stderr
            )
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert "lager-lite backend build   (once; " in invoke("--help").stdout
    finally:
        library.load.cache_clear()


def test_info_says_the_same_as_doctor(invoke):
    info = invoke("backend", "info")
    assert info.exit_code == 0
    doctor = invoke("doctor").stdout.splitlines()
    tap = next(line for line in info.stdout.splitlines() if line.startswith("tap "))
    assert tap in doctor
    assert [line.split(None, 1)[1] for line in doctor if line.startswith("batches")] in ([], ["-b 512 -ub 512"])
    found = json.loads(invoke("backend", "info", "--json").stdout)
    assert tap.split(None, 1)[1] == f"{found['tap']} ({found['tap_reason']})"
