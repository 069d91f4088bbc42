"""Patching and building llama-cpp-python, without a compiler."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from lager_lite.errors import BackendError
from lager_lite.llama.build import BuildRequest, build, in_order, label, patch_series, set_version, unpack
from lager_lite.llama.patching import PatchError, apply_series, parse_patch

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

building = importlib.import_module("lager_lite.llama.build")  # the function of that name hides the module
ROOT = Path(__file__).resolve().parents[2]
OLD = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
FIRST = """A change of two places.

--- a/src/x.cpp
+++ b/src/x.cpp
@@ -1,3 +1,4 @@
 one
-two
+TWO
+two and a half
 three
@@ -6,2 +7,1 @@ void six() {
 six
-seven
--- /dev/null
+++ b/src/new/y.h
@@ -0,0 +1,2 @@
+#pragma once
+--- no header
"""
SECOND = """--- a/src/x.cpp
+++ b/src/x.cpp
@@ -2 +2 @@
-TWO
+2
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


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "x.cpp").write_text(OLD)
    return folder


@pytest.fixture
def series(tmp_path):
    for name, text in (("0001-first.patch", FIRST), ("0002-second.patch", SECOND)):
        (tmp_path / name).write_text(text)
    return [tmp_path / "0001-first.patch", tmp_path / "0002-second.patch"]


def test_patches_change_and_create_files_one_after_another(source, series):
    assert apply_series(source, series) == ["src/x.cpp", "src/new/y.h"]
    assert (source / "src" / "x.cpp").read_text() == "one\n2\ntwo and a half\nthree\nfour\nfive\nsix\n"
    assert (source / "src" / "new" / "y.h").read_text() == "#pragma once\n--- no header\n"


def test_a_hunk_that_no_longer_applies_is_named(source, series):
    (source / "src" / "x.cpp").write_text(OLD.replace("seven", "SEVEN"))
    with pytest.raises(PatchError) as caught:
        apply_series(source, series)
    assert caught.value.message == (
        "0001-first.patch does not apply: src/x.cpp: hunk @@ -6,2 +7,1 @@ void six() {: line 7 is 'SEVEN', expected 'seven'"
    )
    assert caught.value.hint == "the source is not the one that the patches were made for"
    assert (source / "src" / "x.cpp").read_text() == OLD.replace("seven", "SEVEN"), (
        "nothing of the patch may be applied"
    )


def test_a_hunk_is_not_looked_for_elsewhere(source, series):
    (source / "src" / "x.cpp").write_text("zero\n" + OLD)
    with pytest.raises(PatchError, match="line 1 is 'zero', expected 'one'"):
        apply_series(source, series)


def test_a_series_in_another_order_does_not_apply(source, series):
    with pytest.raises(
        PatchError, match=r"0002-second.patch does not apply: src/x.cpp: hunk @@ -2 \+2 @@: line 2 is 'two'"
    ):
        apply_series(source, series[::-1])


def test_a_patch_is_not_applied_twice(source, series):
    apply_series(source, series)
    with pytest.raises(PatchError, match="0001-first.patch does not apply: src/x.cpp: hunk"):
        apply_series(source, series)


def test_a_file_to_create_must_not_be_there_and_one_to_change_must(source, series):
    (source / "src" / "new").mkdir()
    (source / "src" / "new" / "y.h").write_text("")
    with pytest.raises(PatchError, match=r"src/new/y.h: hunk @@ -0,0 \+1,2 @@: the file exists already"):
        apply_series(source, series)
    (source / "src" / "x.cpp").unlink()
    with pytest.raises(PatchError, match=r"src/x.cpp: hunk @@ -1,3 \+1,4 @@: the file is not there"):
        apply_series(source, series)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no patch at all\n", "p changes no file"),
        ("--- a/x\n+++ b/x\n", "p: no hunk for x"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n", "hunk @@ -1 +1 @@ is damaged: it has 1 old and 0 new lines"),
        ("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n*b\n", "is damaged: it has 1 old and 1 new lines"),
        ("--- a/x\n+++ b/x\n@@ nonsense\n-a\n", "'@@ nonsense' is no hunk header"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n", "ends without a line end"),
        ("--- a/x\n+++ b/../../etc/x\n@@ -1 +1 @@\n-a\n+b\n", "names no file below the patched folder"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+c\n", "line 6: expected a hunk or a file, found '+c'"),
    ],
    ids=str,
)
def test_a_damaged_patch_is_refused(text, message):
    with pytest.raises(PatchError) as caught:
        parse_patch("p", text)
    assert message in caught.value.message


def test_the_series_applies_to_the_pinned_source(sdist_folder, tmp_path):
    changes = [c for p in patch_series() for c in parse_patch(p.name, p.read_text())]
    needed = {c.path for c in changes if not c.creates} - {c.path for c in changes if c.creates}
    for path in needed:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((sdist_folder / "vendor" / "llama.cpp" / path).read_bytes())
    changed = apply_series(tmp_path, patch_series())
    assert "include/llama-state-tap.h" in changed and needed < set(changed)
    context = (tmp_path / "src" / "llama-context.cpp").read_text()
    assert "llama_state_tap_version" in context and "llama_ordered_attention_version" in context
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
    assert caught.value.message == f"{archive} has sha256 {found}, expected {building.SHA256}"
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


def test_the_label_says_what_is_built_in():
    assert label([], 3) == "lager.3"
    assert label(["rpc", "cuda", "rpc"], 1) == "lager.1.cuda.rpc"


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A source distribution of four files with its own hash, and a pip that writes down what it is told."""
    root = "llama_cpp_python-0.3.36"
    archive = tmp_path / f"{root}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in (("pyproject.toml", PYPROJECT), ("vendor/llama.cpp/src/x.cpp", OLD)):
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    (tmp_path / "0001-first.patch").write_text(FIRST)
    monkeypatch.setattr(building, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(building, "patch_series", lambda: [tmp_path / "0001-first.patch"])
    calls = []

    def run(command, *, env, **_):
        arguments = command[command.index("--no-input") + 1 :]
        seen = {"command": arguments, "cmake": env.get("CMAKE_ARGS"), "jobs": env.get("CMAKE_BUILD_PARALLEL_LEVEL")}
        calls.append(seen)
        if arguments[0] == "wheel":
            source = Path(arguments[-1])
            seen["source"] = (source / "vendor/llama.cpp/src/x.cpp").read_text()
            seen["version"] = next(n for n in (source / "pyproject.toml").read_text().splitlines() if "version" in n)
            (Path(arguments[arguments.index("-w") + 1]) / "w.whl").write_text("a wheel")
        if arguments[0] == "download":
            (Path(arguments[arguments.index("-d") + 1]) / archive.name).write_bytes(archive.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(building.subprocess, "run", run)
    monkeypatch.setattr(building, "prove", lambda wheel, folder: f"CPU ({wheel.name})")
    return archive, calls


def test_a_build_patches_and_installs(fake, monkeypatch):
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_NATIVE=OFF")
    said = []
    built = build(BuildRequest(("rpc", "cuda"), jobs=3), said.append)
    assert (built.version, built.wheel) == ("0.3.36+lager.1.cuda.rpc", None)
    download, wheel, install = fake[1]
    assert download["command"][:4] == ["download", "--no-binary", "llama-cpp-python", "--no-deps"]
    assert download["command"][-1] == "llama-cpp-python==0.3.36"
    assert wheel["cmake"] == "-DGGML_NATIVE=OFF -DGGML_CUDA=ON -DGGML_RPC=ON"
    assert (wheel["jobs"], wheel["version"]) == ("3", 'version = "0.3.36+lager.1.cuda.rpc"')
    assert wheel["source"].startswith("one\nTWO\n")
    assert install["command"][:3] == ["install", "--no-deps", "--force-reinstall"]
    assert install["command"][3].endswith("w.whl")
    assert said[1] == "1 patches applied; building 0.3.36+lager.1.cuda.rpc for CPU, rpc, cuda, which takes minutes"
    assert said[3] == "a tiny model gives the states that it should on CPU (w.whl); installing"


def test_a_library_that_fails_its_proof_is_not_installed(fake, monkeypatch):
    def refuse(wheel, folder):
        raise BackendError("the new library was built but not installed: it crashed")

    monkeypatch.setattr(building, "prove", refuse)
    with pytest.raises(BackendError, match="it crashed"):
        build(BuildRequest())
    assert [call["command"][0] for call in fake[1]] == ["download", "wheel"]


def test_a_wheel_is_left_where_it_is_wanted_and_nothing_installed(invoke, fake, tmp_path):
    done = invoke("backend", "build", "--sdist", str(fake[0]), "--wheel", str(tmp_path / "out"), "--jobs", "1")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'out' / 'w.whl'}\n"
    assert [c["command"][0] for c in fake[1]] == ["wheel"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["w.whl"]


def test_a_build_that_fails_shows_the_end_of_what_was_said(invoke, fake, monkeypatch):
    def run(command, **_):
        return subprocess.CompletedProcess(command, 1, "\n".join(f"line {n}" for n in range(40)), "")

    monkeypatch.setattr(building.subprocess, "run", run)
    done = invoke("backend", "build", "--sdist", str(fake[0]))
    assert done.exit_code == 1
    assert "Error: pip wheel failed (exit code 1)\nline 15\n" in done.stderr and "line 39\nTry: " in done.stderr
    assert "line 14\n" not in done.stderr and done.stdout == ""


def test_the_patches_are_part_of_an_installed_package():
    """Of its metadata: `.ci/run` builds from an installed package."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "lager_lite.patches" in setuptools["packages"]
    assert setuptools["package-dir"]["lager_lite.patches"] == "patches"
    for path in patch_series():
        assert any(path.match(pattern) for pattern in setuptools["package-data"]["lager_lite.patches"])


def test_info_says_the_same_as_doctor(invoke):
    info = invoke("backend", "info")
    assert info.exit_code == 0
    doctor = invoke("doctor").stdout.splitlines()
    tap = next(line for line in info.stdout.splitlines() if line.startswith("tap "))
    assert tap in doctor
    assert [line.split(None, 1)[1] for line in doctor if line.startswith("batches")] in ([], ["-b 512 -ub 512"])
    found = json.loads(invoke("backend", "info", "--json").stdout)
    assert tap.split(None, 1)[1] == f"{found['tap']} ({found['tap_reason']})"
