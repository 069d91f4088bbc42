"""The source of llama-cpp-python that is built: one published archive, checked by its hash, patched and cut down."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import BackendError
from .library import SUPPORTED_VERSIONS
from .patching import apply_series
from .pip import run_pip

VERSION = SUPPORTED_VERSIONS[-1]
SDIST = f"llama_cpp_python-{VERSION}"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"

_DYNAMIC = 'dynamic = ["version"]'
_PROVIDER = re.compile(r"\[tool\.scikit-build\.metadata\.version\]\n(?:.+\n)+\n?")
_COMMON = re.compile(r"^ *set\(LLAMA_BUILD_COMMON ON .*FORCE\)\n", re.MULTILINE)
# What no step of the build reads: two thirds of the archive's bytes.
_UNREAD = ("models", "docs", "tools", "tests", "examples", "benches", "media", "conversion", "gguf-py")


def download(folder: Path, verbose: bool = False) -> Path:
    """Download the pinned source distribution with pip and return its path. Raises BackendError."""
    wanted = ["download", "--no-binary", "llama-cpp-python", "--no-deps", "-d", str(folder)]
    try:
        run_pip([*wanted, f"llama-cpp-python=={VERSION}"], verbose=verbose)
    except BackendError as error:
        other = f"without a network, bring {SDIST}.tar.gz from another machine and name it with --sdist"
        raise BackendError(error.message, f"{error.hint}; {other}") from None
    return folder / f"{SDIST}.tar.gz"


def prepare(archive: Path, folder: Path, patches: Sequence[Path], version: str) -> Path:
    """Unpack an archive below a folder, patch it and give it a version; return the folder of the source.

    Raises BackendError where the archive is not the pinned one, and PatchError where a patch does not fit.
    """
    source = unpack(archive, folder)
    apply_series(source / "vendor" / "llama.cpp", patches)
    set_version(source / "pyproject.toml", version)
    leave_out_common(source / "CMakeLists.txt")
    return source


def unpack(archive: Path, folder: Path) -> Path:
    """Check an archive's hash and unpack what a build reads; return the folder of the source.

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
    unread = tuple(f"{SDIST}/vendor/llama.cpp/{name}/" for name in _UNREAD)
    with tarfile.open(archive) as tar:
        members = [member for member in tar if not member.name.startswith(unread)]
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, members, filter="data")
        else:
            tar.extractall(folder, members)  # Safe without a filter, because the hash is known.
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


def leave_out_common(cmake: Path) -> None:
    """Let the source's CMakeLists.txt build llama.cpp without its library for command-line programs.

    Judging uses nothing of it, and it takes more than a third of the compiler's time. Raises BackendError where the
    file does not ask for it, as it does in the pinned source.
    """
    fixed, removed = _COMMON.subn("", cmake.read_text(encoding="utf-8"))
    if removed != 1:
        raise BackendError(f"{cmake} does not build llama.cpp's common library", "report it with this version")
    cmake.write_text(fixed, encoding="utf-8")
