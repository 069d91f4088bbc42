"""The catalog of backbones that suit judging: short names for public models, `models/catalog.toml`."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ..errors import ModelFileError
from ..system import shipped_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class CatalogEntry:
    """One backbone of the catalog.

    - `name`: the short name, what `-m` takes.
    - `package`: the Python package that carries it, "" for none.
    - `repo`: its GGUF repository on Hugging Face, "" for none.
    - `quant`: the quantization of the file that is meant.
    - `note`: one remark for lists, may be empty.
    - `paper`: whether LAGER's paper used it.
    """

    name: str
    package: str = ""
    repo: str = ""
    quant: str = ""
    note: str = ""
    paper: bool = False


def read_catalog() -> dict[str, CatalogEntry]:
    """All entries by name, in the file's order. Raises ModelFileError for a file that cannot be read."""
    folder = shipped_folder()
    if folder is None:
        return {}
    path = folder / "catalog.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: CatalogEntry(name, **table) for name, table in tables.items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}", "reinstall lager-lite") from None
