"""Build llama-cpp-python with our patches: the only part of lager-lite that downloads anything.

pip downloads the source distribution, which is checked against a hash in this file and patched; pip then builds
it. The result is the same package with the same version; a local label ("+lager.7.s1f0c2ab") shows in pip that it is
ours, and stands for everything that the build depends on. A build that has proved itself is kept, so that the same one
is never compiled twice on a machine, and it never enters pip's cache.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..errors import BackendError, LagerError
from ..system import builds_folder
from .pip import COMPILER_HINT, run_pip
from .proof import prove
from .source import SDIST, VERSION, download, patch_series, prepare

BACKENDS = {"cuda": "GGML_CUDA", "metal": "GGML_METAL", "vulkan": "GGML_VULKAN"}
"""The backends that can be built in besides the CPU and RPC, each with its CMake option."""

# The library for images takes a third of the compiler's time, and judging reads texts. RPC takes a second of it.
# On macOS a BLAS is on by itself: it would take the products of 32 rows and more away from ours.
_ALWAYS = ("-DLLAVA_BUILD=OFF", "-DLLAMA_BUILD_COMMON=OFF", "-DGGML_RPC=ON", "-DGGML_BLAS=OFF")
_KEPT = 3
_COMPILERS = ("c++", "g++", "clang++")


@dataclass(frozen=True)
class BuildRequest:
    """How to build.

    - `backends`: the backends to build in, keys of BACKENDS.
    - `sdist`: the source distribution, where it is on this machine already. None: it is downloaded.
    - `wheel`: the folder to put the wheel into. None: the wheel is installed.
    - `jobs`: the number of compilers that run at a time. None: one for each core.
    - `again`: whether to compile although the same build is installed or kept.
    - `verbose`: whether to show the output of pip and the compiler.
    """

    backends: tuple[str, ...] = ()
    sdist: Path | None = None
    wheel: Path | None = None
    jobs: int | None = None
    again: bool = False
    verbose: bool = False


@dataclass(frozen=True)
class Built:
    """What was built.

    - `version`: the version as pip shows it.
    - `wheel`: the path of the wheel. None: it was installed.
    - `compiled`: whether anything was compiled; False where the same build was installed or kept.
    """

    version: str
    wheel: Path | None
    compiled: bool


def build(
    request: BuildRequest,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda done, steps: None,
) -> Built:
    """Download, check, patch and build the library; then install it, or keep the wheel.

    say: called with one line of text for every step. progress: called while the compiler runs, with the number of
    its steps that are done and of all of them. Raises BackendError with the first errors of CMake or the compiler, or the
    last lines of output, where pip fails, and for Metal on another system than macOS; and
    PatchError where a patch does not fit; what was installed before then stays installed.
    """
    unknown = sorted(set(request.backends) - set(BACKENDS))
    if unknown:
        raise BackendError(f"unknown backend {unknown[0]}", f"known: {', '.join(BACKENDS)}")
    if "metal" in request.backends and sys.platform != "darwin":
        raise BackendError(
            "Apple's Metal is only on macOS", "build there, or here with --cuda or --vulkan, or without a GPU"
        )
    series = patch_series()
    flags = " ".join([*_ALWAYS, *(f"-D{BACKENDS[name]}=ON" for name in sorted(set(request.backends)))])
    flags = f"{flags} {os.environ.get('CMAKE_ARGS', '')}".strip()
    version = f"{VERSION}+{label(request.backends, series, flags)}"
    if not (request.again or request.wheel) and installed() == version:
        return Built(version, None, compiled=False)
    kept = None if request.again else _find_kept(version)
    with _scratch() as folder:
        wheel = kept or _compile(folder, series, version, flags, request=request, say=say, progress=progress)
        if request.wheel is not None:
            return Built(version, _copy(wheel, request.wheel), compiled=kept is None)
        say(f"trying {'the build that was kept' if kept else 'the new library'} in a process of its own")
        say(f"a tiny model gives the states that it should on {_proved(wheel, folder, kept)}; installing")
        if kept is None:
            _keep(wheel)
        run_pip(["install", "--no-deps", "--force-reinstall", str(wheel)], verbose=request.verbose, finish=True)
    return Built(version, None, compiled=kept is None)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for the source and what is made of it, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="lager-lite-build-", ignore_cleanup_errors=True) as name:
        try:
            yield Path(name)
        except KeyboardInterrupt:
            # A second after Ctrl-C the process is ended, and a busy disk takes longer to remove thousands of files.
            code = "import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)"
            nowhere = subprocess.DEVNULL
            command = [sys.executable, "-S", "-c", code, name]
            subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
            raise


def label(backends: Sequence[str], patches: Sequence[Path], flags: str) -> str:
    """Return the local version label.

    It says how many patches were applied and what is built in, and ends with a digest of everything that decides what
    the compiler makes: the patches, CMake's flags, and the processor, for which llama.cpp is compiled.
    """
    facts = [path.read_bytes() for path in patches] + [flags.encode(), _processor().encode()]
    digest = hashlib.blake2b(repr(facts).encode(), digest_size=4).hexdigest()[:7]
    # A letter keeps pip from reading the digest as a number.
    return ".".join(["lager", str(len(patches)), *sorted(set(backends)), f"s{digest}"])


def installed() -> str | None:
    """Return the version of llama-cpp-python in this environment as pip shows it; None where there is none."""
    try:
        return metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor as the compiler's -march=native sees it, with the system that the wheel is for."""
    features = platform.processor()
    try:
        if sys.platform == "darwin":
            features = subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True)
        else:
            with open("/proc/cpuinfo", encoding="utf-8") as lines:
                features = next((line for line in lines if line.startswith(("flags", "Features"))), features)
    except OSError:
        pass  # Not Linux.
    return f"{platform.system()} {platform.machine()} {platform.libc_ver()} {features}"


def _need_compiler() -> None:
    # CMake would say so too, but only after everything was downloaded. Windows has its compiler outside PATH.
    named = os.environ.get("CXX")
    if os.name == "posix" and not named and not any(map(shutil.which, _COMPILERS)):
        raise BackendError(f"no C++ compiler was found ({', '.join(_COMPILERS)})", COMPILER_HINT)


def _compile(
    folder: Path,
    patches: Sequence[Path],
    version: str,
    flags: str,
    *,
    request: BuildRequest,
    say: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> Path:
    """Return the wheel that pip makes of the patched source, below an empty folder."""
    _need_compiler()
    if request.sdist is None:
        say(f"downloading {SDIST}.tar.gz")
    archive = request.sdist or download(folder, request.verbose)
    source = prepare(archive, folder / "source", patches, version)
    kinds = ", ".join(["CPU", *request.backends])
    say(
        f"{len(patches)} patch{'es' * (len(patches) != 1)} applied; compiling {version} for {kinds}, which takes minutes"
    )
    target, scratch = folder / "wheel", folder / "scratch"
    scratch.mkdir()
    environment = {
        "CMAKE_ARGS": flags,
        "CMAKE_BUILD_PARALLEL_LEVEL": str(request.jobs or os.cpu_count() or 1),
        "TMPDIR": str(scratch),
    }
    command = ["wheel", "--no-deps", "--no-cache-dir", "-w", str(target), str(source)]
    run_pip(command, verbose=request.verbose, environment=environment, progress=progress)
    (wheel,) = target.glob("*.whl")
    return wheel


def _proved(wheel: Path, folder: Path, kept: Path | None) -> str:
    try:
        return prove(wheel, folder)
    except BackendError:
        if kept is not None:
            kept.unlink(missing_ok=True)  # The next call compiles it again.
        raise


def _find_kept(version: str) -> Path | None:
    try:
        found = sorted(builds_folder().glob(f"{SDIST}+{version.partition('+')[2]}-*.whl"))
    except LagerError:
        return None  # A user without a home folder keeps nothing.
    return found[0] if found else None


def _keep(wheel: Path) -> None:
    """Keep a wheel that has proved itself, and the last ones before it."""
    try:
        _copy(wheel, builds_folder())
        wheels = sorted(builds_folder().glob("*.whl"), key=lambda path: path.stat().st_mtime)
        for old in wheels[:-_KEPT]:
            old.unlink()
    except (LagerError, OSError):
        pass  # Without it, the next environment compiles once more.


def _copy(wheel: Path, folder: Path) -> Path:
    """Put a copy of a wheel into a folder, where it appears complete or not at all; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".copying-") as beside:
        return Path(shutil.copy(wheel, beside)).replace(folder / wheel.name)
