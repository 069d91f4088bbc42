"""Build llama-cpp-python with our patches: the only part of lager-lite that downloads anything.

pip downloads the source distribution, which is checked against a hash in this file and patched; pip then builds
it. The result is the same package with the same version; a local label ("+lager.1") shows in pip that it is ours.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..errors import BackendError
from .library import SUPPORTED_VERSIONS
from .patching import apply_series
from .proof import prove

VERSION = SUPPORTED_VERSIONS[-1]
SDIST = f"llama_cpp_python-{VERSION}"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
BACKENDS = {"cuda": "GGML_CUDA", "metal": "GGML_METAL", "vulkan": "GGML_VULKAN", "rpc": "GGML_RPC"}
"""The backends that can be built in besides the CPU, each with its CMake option."""

_DYNAMIC = 'dynamic = ["version"]'
_PROVIDER = re.compile(r"\[tool\.scikit-build\.metadata\.version\]\n(?:.+\n)+\n?")
_LINES = 25


@dataclass(frozen=True)
class BuildRequest:
    """How to build.

    - `backends`: the backends to build in, keys of BACKENDS.
    - `sdist`: the source distribution, where it is on this machine already. None: it is downloaded.
    - `wheel`: the folder to put the wheel into. None: the wheel is installed.
    - `jobs`: the number of compilers that run at a time. None: one for each core.
    - `verbose`: whether to show the output of pip and the compiler.
    """

    backends: tuple[str, ...] = ()
    sdist: Path | None = None
    wheel: Path | None = None
    jobs: int | None = None
    verbose: bool = False


@dataclass(frozen=True)
class Built:
    """What was built.

    - `version`: the version as pip shows it.
    - `wheel`: the path of the wheel. None: it was installed.
    """

    version: str
    wheel: Path | None


def build(request: BuildRequest, say: Callable[[str], None] = lambda _: None) -> Built:
    """Download, check, patch and build the library; then install it, or keep the wheel.

    say: called with one line of text for every step. Raises BackendError with the last lines of output where pip
    fails, and PatchError where a patch does not fit; what was installed before then stays installed.
    """
    unknown = sorted(set(request.backends) - set(BACKENDS))
    if unknown:
        raise BackendError(f"unknown backend {unknown[0]}", f"known: {', '.join(BACKENDS)}")
    series = patch_series()
    version = f"{VERSION}+{label(request.backends, len(series))}"
    with tempfile.TemporaryDirectory(prefix="lager-lite-build-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if request.sdist is None:
            say(f"downloading {SDIST}.tar.gz")
        archive = request.sdist or download(folder, request.verbose)
        source = unpack(archive, folder / "source")
        apply_series(source / "vendor" / "llama.cpp", series)
        set_version(source / "pyproject.toml", version)
        kinds = ", ".join(["CPU", *request.backends])
        say(f"{len(series)} patches applied; building {version} for {kinds}, which takes minutes")
        wheel = _wheel(source, request.wheel or folder / "wheel", request)
        if request.wheel is not None:
            return Built(version, wheel)
        say("trying the new library in a process of its own")
        say(f"a tiny model gives the states that it should on {prove(wheel, folder)}; installing")
        _pip(["install", "--no-deps", "--force-reinstall", str(wheel)], request.verbose)
    return Built(version, None)


def label(backends: Sequence[str], patches: int) -> str:
    """Return the local version label, which says how many patches were applied and what is built in."""
    return ".".join(["lager", str(patches), *sorted(set(backends))])


def download(folder: Path, verbose: bool = False) -> Path:
    """Download the pinned source distribution with pip and return its path. Raises BackendError."""
    _pip(
        ["download", "--no-binary", "llama-cpp-python", "--no-deps", "-d", str(folder), f"llama-cpp-python=={VERSION}"],
        verbose,
    )
    return folder / f"{SDIST}.tar.gz"


def unpack(archive: Path, folder: Path) -> Path:
    """Check an archive's hash and unpack it; return the folder of the source.

    Raises BackendError where the archive cannot be read, or is not the pinned source distribution.
    """
    try:
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
    except OSError as error:
        raise BackendError(
            f"cannot read {archive}: {error.strerror}", f"give the {SDIST}.tar.gz that pip downloads"
        ) from error
    if found != SHA256:
        raise BackendError(
            f"{archive} has sha256 {found}, expected {SHA256}",
            f"it is not the published {SDIST}.tar.gz: download it again",
        )
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)  # Safe without a filter, because the hash is known.
    return folder / SDIST


def patch_series() -> list[Path]:
    """Return the patches of the installed package, or of a checkout, in the order in which they are applied.

    Raises BackendError where there are none, or where their numbers are not 1, 2, 3 and so on.
    """
    spec = find_spec("lager_lite.patches")
    places = [Path(p) for p in spec.submodule_search_locations or []] if spec else []
    places.append(Path(__file__).resolve().parents[2] / "patches")
    for place in places:
        found = sorted(place.glob("*.patch"))
        if found:
            return in_order(found)
    raise BackendError("this installation has no patches", "install lager-lite again")


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Sort patches by the numbers that their names begin with. Raises BackendError for a gap or a repeated number."""
    ordered = sorted(paths, key=lambda p: p.name)
    numbers = [p.name.partition("-")[0] for p in ordered]
    if numbers != [f"{n:04d}" for n in range(1, len(ordered) + 1)]:
        raise BackendError(
            f"the patches are numbered {', '.join(numbers)}, expected 0001 and so on", "install lager-lite again"
        )
    return ordered


def set_version(pyproject: Path, version: str) -> None:
    """Write a fixed version into the source's pyproject.toml; the module keeps its own `__version__`.

    Raises BackendError where pyproject.toml does not take the version from the source, as it does in the pinned one.
    """
    text = pyproject.read_text(encoding="utf-8")
    fixed, removed = _PROVIDER.subn("", text)
    if _DYNAMIC not in fixed or removed != 1:
        raise BackendError(
            f"{pyproject} does not take its version from the source", "report it with the version of lager-lite"
        )
    pyproject.write_text(fixed.replace(_DYNAMIC, f'version = "{version}"', 1), encoding="utf-8")


def _wheel(source: Path, folder: Path, request: BuildRequest) -> Path:
    flags = " ".join(f"-D{BACKENDS[name]}=ON" for name in sorted(set(request.backends)))
    environment = {
        "CMAKE_ARGS": f"{os.environ.get('CMAKE_ARGS', '')} {flags}".strip(),
        "CMAKE_BUILD_PARALLEL_LEVEL": str(request.jobs or os.cpu_count() or 1),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as beside:
        _pip(["wheel", "--no-deps", "--no-cache-dir", "-w", beside, str(source)], request.verbose, environment)
        (built,) = Path(beside).glob("*.whl")
        return built.replace(folder / built.name)


def _pip(arguments: Sequence[str], verbose: bool, environment: dict[str, str] | None = None) -> None:
    # pip must not ask for input, and must write to stderr only, because stdout belongs to results.
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        *arguments,
        *(["-v"] if verbose else []),
    ]
    pipe = None if verbose else subprocess.PIPE
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdout=sys.stderr if verbose else pipe,
        stderr=None if verbose else subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return
    said = "" if verbose else "\n" + "\n".join(done.stdout.splitlines()[-_LINES:])
    if "No module named pip" in said:
        raise BackendError(
            f"{sys.executable} has no pip", "run python -m ensurepip, or create the environment with pip"
        )
    raise BackendError(
        f"pip {arguments[0]} failed (exit code {done.returncode}){said}",
        "a C++ compiler is needed; -v shows everything",
    )
