"""A folder with another processor's Python, its packages from PyPI and llama-cpp-python: no root rights, no chroot.

Debian's packages are unpacked, not installed. QEMU looks for each absolute path in that folder first, and a script
of two lines stands where a virtual environment has its `python`, so that child processes are emulated too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import tomllib

from lager_lite.llama.source import VERSION

from .targets import Target

_PACKAGES = ("python3", "libgomp1", "libstdc++6")
# Folders that this machine and the emulated one share.
_SHARED = ("tmp", "proc", "sys", "dev", "home", "root", "run", "var", "work", "mnt", "media", "opt", "srv", "boot")
_CHECKOUT = Path(__file__).resolve().parents[2]
_TESTS = ("pytest",)


def unpack_root(target: Target, folder: Path) -> Path:
    """Return a folder that holds Debian's Python of that processor, with all that it needs; made once."""
    root = folder / "root"
    if (root / "usr" / "bin" / "python3").exists():
        return root
    if shutil.which(target.emulator) is None:
        raise RuntimeError(f"there is no {target.emulator}: apt-get install qemu-user-static")
    state = folder / "apt"
    shutil.rmtree(root, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    # An empty list of what is installed lets apt name everything that is needed.
    settings = [
        *(f"-oAPT::Architecture={target.debian}", f"-oAPT::Architectures={target.debian}"),
        *(
            f"-oDir::State={state}",
            f"-oDir::State::lists={state / 'lists'}",
            f"-oDir::State::status={state / 'status'}",
        ),
        *(f"-oDir::Cache={state / 'cache'}", "-oAPT::Sandbox::User=root", "-oAPT::Install-Recommends=0"),
        *("-oDebug::NoLocking=1", "-oBinary::apt::APT::Keep-Downloaded-Packages=1"),
    ]
    subprocess.run(["apt-get", *settings, "-qq", "update"], check=True)
    subprocess.run(["apt-get", *settings, "-qq", "-y", "--download-only", "install", *_PACKAGES], check=True)
    for package in sorted((state / "cache" / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    for name in _SHARED:
        shutil.rmtree(root / name, ignore_errors=True)
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")
    return root


def make_environment(target: Target, root: Path, source: Path, libraries: Path, folder: Path) -> Path:
    """Return the `python` of an environment with this package's dependencies, pytest and llama-cpp-python.

    source: the source of llama-cpp-python, patched; libraries: the folder with the compiled ones.
    """
    home = folder / "environment"
    real = (root / "usr" / "bin" / "python3").resolve()
    packages = home / "lib" / real.name / "site-packages"
    python = home / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n", encoding="utf-8")
    emulator = shutil.which(target.emulator)
    python.write_text(
        f'#!/bin/sh\nexec {emulator} -L {root} -cpu {target.model} -0 {python} {real} "$@"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    if not (packages / "numpy").exists():
        _install([*_dependencies(), *_TESTS], target, real.name.removeprefix("python"), packages)
    module = packages / "llama_cpp"
    shutil.rmtree(module, ignore_errors=True)
    shutil.copytree(source / "llama_cpp", module)
    # A report of `eval` names the versions of what is installed.
    told = packages / f"llama_cpp_python-{VERSION}.dist-info" / "METADATA"
    told.parent.mkdir(exist_ok=True)
    told.write_text(f"Metadata-Version: 2.1\nName: llama_cpp_python\nVersion: {VERSION}\n", encoding="utf-8")
    (module / "lib").mkdir(exist_ok=True)
    for library in libraries.glob("*.so"):
        shutil.copyfile(library, module / "lib" / library.name)
    for library in libraries.glob("*.so.?"):
        shutil.copyfile(library, module / "lib" / library.name)
    return python


def _dependencies() -> list[str]:
    project = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [str(line) for line in project["dependencies"]]


def _install(wanted: Sequence[str], target: Target, version: str, packages: Path) -> None:
    platforms = [f"--platform=manylinux{kind}_{target.processor}" for kind in ("2014", "_2_17", "_2_27", "_2_28")]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--target", str(packages)]
    subprocess.run([*command, *platforms, f"--python-version={version}", *wanted], check=True)


def environment(checkout: Path = _CHECKOUT) -> dict[str, str]:
    """The variables for a test run: those of this process but for what speaks of its processor; see tests.effort."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS", "LLAMA_CPP"))}
    return {**kept, "PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1", "LAGER_LITE_FEW": "1"}
