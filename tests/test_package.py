"""What pyproject.toml installs: every room with its data, and every extra that the pages name."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from lager_lite.llama.source import patch_series

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "lager_lite" / "docs").glob("*.md"))]


def test_every_folder_with_code_is_installed() -> None:
    folders = {p.parent.relative_to(ROOT) for p in (ROOT / "lager_lite").rglob("*.py")}
    named = {name for name in SETUPTOOLS["packages"] if name not in SETUPTOOLS["package-dir"]}
    assert named == {".".join(folder.parts) for folder in folders}


def test_every_file_beside_the_code_is_installed() -> None:
    data = SETUPTOOLS["package-data"]
    folders = {name: ROOT / Path(*name.split(".")) for name in SETUPTOOLS["packages"]}
    folders |= {name: ROOT / folder for name, folder in SETUPTOOLS["package-dir"].items()}
    shipped = {path for name, patterns in data.items() for p in patterns for path in folders[name].glob(p)}
    files = {p for p in (ROOT / "lager_lite").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    assert files - shipped == set()


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_extras_that_a_page_installs_exist(page: Path) -> None:
    named = re.findall(r"pip install '\.\[(\w+)\]'", page.read_text(encoding="utf-8"))
    assert set(named) <= set(PROJECT["project"]["optional-dependencies"])


def test_the_second_command_installs_what_the_checks_need() -> None:
    extra = re.search(r"pip install '\.\[(\w+)\]' && python -m pytest", PAGES[0].read_text(encoding="utf-8"))
    assert extra is not None
    needed = {re.split(r"[<>=]", n)[0] for n in PROJECT["project"]["optional-dependencies"][extra[1]]}
    assert {"pytest", "ruff", "mypy"} <= needed


def test_the_patches_are_part_of_an_installed_package():
    """Of its metadata: `.ci/run` builds from an installed package."""
    setuptools = PROJECT["tool"]["setuptools"]
    assert "lager_lite.patches" in setuptools["packages"]
    assert setuptools["package-dir"]["lager_lite.patches"] == "patches"
    for path in patch_series():
        assert any(path.match(pattern) for pattern in setuptools["package-data"]["lager_lite.patches"])
