"""Brings lager_lite/docs/data.md up to date: python -m tests.write_data_page

The page holds its own inputs, behind `$ cat FILE`; the outputs of its commands and the table of keys are written here.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path

from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.data import ALIASES

PAGE = Path(__file__).resolve().parent.parent / "lager_lite" / "docs" / "data.md"
_CUT = "### Criterion"
_BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"\| field \| keys \|\n(?:\|.*\n)+|^FIELDS\n", re.MULTILINE)


def write_files(folder: Path, page: str) -> None:
    """Write the files that a page shows with `$ cat`."""
    for block in _BLOCK.findall(page):
        for command, body in _parts(block):
            if command.startswith("cat "):
                (folder / command[4:]).write_text(body, encoding="utf-8")


def updated(page: str) -> str:
    """The page with the outputs that its commands have now, each up to the criterion of its prompt."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), page)
        os.chdir(folder)

        def block(found: re.Match[str]) -> str:
            parts = [(command, _output(command) or body) for command, body in _parts(found[1])]
            return "```\n" + "".join(f"$ {command}\n{body}" for command, body in parts) + "```"

        try:
            page = _BLOCK.sub(block, page)
        finally:
            os.chdir(before)
    rows = [f"| {field} | {', '.join(f'`{key}`' for key in keys)} |" for field, keys in ALIASES.items()]
    return _TABLE.sub("\n".join(["| field | keys |", "| --- | --- |", *rows]).replace("\\", r"\\") + "\n", page)


def _parts(block: str) -> list[tuple[str, str]]:
    pieces = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(pieces[1::2], pieces[2::2], strict=True))


def _output(command: str) -> str:
    if not command.startswith("lager-lite "):
        return ""
    done = CliRunner().invoke(main, shlex.split(command)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    shown, cut, _ = done.stdout.partition(_CUT)
    return shown.rstrip("\n") + "\n" + ("...\n" if cut else "")


if __name__ == "__main__":
    os.environ.pop("LAGER_LITE_MODEL", None)
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
