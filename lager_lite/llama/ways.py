"""Which way of multiplying is the fastest here, and how many rows it takes: measured once for a machine and a kind of file.

A processor with kernels for bfloat16 multiplies unpacked matrices several times faster than 8-bit rows; another one
may do better with the file as it is. Where llama.cpp multiplies a few rows with another kernel than many, a lone row is
given company; how much it needs differs from processor to processor. What the guard's child measured is kept in small
files, and `choose_products` looks there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..backbones import open_model
from ..errors import LagerError
from ..system import or_nowhere, speeds_folder, write_beside
from .library import Library

_FLOATS = ("F32", "F16", "BF16")
LEAST_ROWS = 2
"""The fewest rows whose products do not depend on how many there are, where nothing else was found: llama.cpp multiplies
one row by other kernels than several."""
MORE_ROWS = (4, 8, 16)
"""What is tried where that is not enough."""
# Numbers should not change for a gain that may be noise.
_MARGIN = 1.2


@dataclass(frozen=True)
class Ways:
    """How fast a kind of file is read in each way.

    - `unpacked`: tokens per second with matrices that are unpacked.
    - `file`: tokens per second with llama.cpp's own products, from the file as it is.
    - `steady`: whether llama.cpp's own products gave the same bits alone and in company.
    """

    unpacked: float
    file: float
    steady: bool

    @property
    def best(self) -> str:
        """The value of `BackendOptions.unpack` to use: "off" only where that is clearly faster and as steady."""
        return "off" if self.steady and self.file > _MARGIN * self.unpacked else "fastest"

    def text(self) -> str:
        """The choice in words."""
        chosen = "as they are in the file" if self.best == "off" else "unpacked"
        return f"{chosen} ({self.unpacked:,.0f} tokens/s unpacked, {self.file:,.0f} from the file as it is)"


def kinds_of(path: Path) -> set[str]:
    """The types of a file's tensors; none for a file that llama.cpp will refuse, and say why."""
    try:
        return {tensor.kind.name for tensor in open_model(path).tensors.values()}
    except LagerError:
        return set()


def has_ways(library: Library, path: Path) -> bool:
    """Return whether there is anything to choose: a library that unpacks, and a file with quantized matrices."""
    kinds = kinds_of(path)
    return library.unpack_version() is not None and not kinds <= set(_FLOATS)


def recall_ways(library: Library, path: Path) -> Ways | None:
    """Return what was measured for files of this kind; None where nothing was. Raises what `open_model` raises."""
    try:
        found = json.loads(_place(library, path).read_text(encoding="utf-8"))
        return Ways(float(found["unpacked"]), float(found["file"]), bool(found["steady"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember_ways(library: Library, path: Path, ways: Ways) -> None:
    """Keep what was measured for files of this kind, where there is a place for it."""
    _keep(_place(library, path), json.dumps(asdict(ways)))


def recall_least_rows(library: Library, path: Path) -> int:
    """Return how many rows at least llama.cpp must multiply together for files of this kind, so that a row's bits do not
    depend on their number. Raises what `open_model` raises."""
    try:
        return int(_rows_place(library, path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return LEAST_ROWS


def remember_least_rows(library: Library, path: Path, rows: int) -> None:
    """Keep the number of rows for files of this kind, where there is a place for it."""
    _keep(_rows_place(library, path), str(rows))


def _keep(place: Path, text: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_beside(place, lambda file: file.write(text), text=True)
    except (LagerError, OSError):
        pass  # It is measured again at the first load of the next file.


def _rows_place(library: Library, path: Path) -> Path:
    return _place(library, path).with_suffix(".rows")


def _place(library: Library, path: Path) -> Path:
    processor = [device.description for device in library.devices() if device.kind == "CPU"]
    facts = [library.numerics, library.unpack_version(), library.system_info(), processor]
    facts.append(open_model(path).info.quantization)
    return or_nowhere(speeds_folder) / hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()
