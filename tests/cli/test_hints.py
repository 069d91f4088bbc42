"""Every option that a help text, a hint or an error names exists, on the command that says it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import lager_lite
from lager_lite.cli import main
from lager_lite.cli.grammar import commands_of

LEAVES = {name: c for name, c in commands_of(main) if not isinstance(c, click.Group)}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
ROOT = Path(lager_lite.__file__).parent
# Options of pip, xcode-select, huggingface-cli and ray, which these modules call or advise.
OTHERS = {
    "llama/source.py": {"--no-binary", "--no-deps"},
    "llama/build.py": {"--no-deps", "--no-cache-dir", "--force-reinstall"},
    "llama/pip.py": {"--install", "--disable-pip-version-check", "--no-input"},
    "backbones/locate.py": {"--no-deps"},
    "backbones/caches.py": {"--include"},
    "scaleout/ray_workers.py": {"--head"},
}


def options_of(command: click.Command) -> set[str]:
    own = (p for p in command.params if isinstance(p, click.Option))
    return {"--help", *(name for p in own for name in (*p.opts, *p.secondary_opts))}


EVERY = set().union(*map(options_of, LEAVES.values()))


def texts_of(path: Path) -> Iterator[str]:
    """The string literals of a module that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def options_named(path: Path) -> set[str]:
    return {option for text in texts_of(path) for option in OPTION.findall(text)}


@pytest.mark.parametrize("name", LEAVES)
def test_a_help_names_options_of_its_command_or_of_one_that_it_names(name):
    command = LEAVES[name]
    about = [command.help or "", *(getattr(p, "help", None) or "" for p in command.params)]
    for text in about:
        # In "the outputs of shards" and "`--rpc` of other machines" the options are another command's.
        others = [c for other, c in LEAVES.items() if re.search(rf"(?:`|lager-lite ){other}\b", text)]
        others += [LEAVES["score"]] if "shards" in text or "other machines" in text else []
        known = options_of(command).union(*map(options_of, others))
        assert set(OPTION.findall(text)) <= known, text


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_message_names_options_that_exist(path):
    place = path.relative_to(ROOT).as_posix()
    assert options_named(path) <= EVERY | OTHERS.get(place, set())
    if place.startswith("cli/commands/") and path.stem not in ("__init__", "data"):
        mine = [
            options_of(c)
            for name, c in LEAVES.items()
            if c.callback and c.callback.__module__.endswith("." + path.stem)
        ]
        shown = {option for text in texts_of(path) if "`" not in text for option in OPTION.findall(text)}
        assert shown <= set().union(*mine)


def test_commands_that_read_items_have_the_options_that_messages_about_rows_name():
    named = set().union(
        *(
            options_named(ROOT / f"{name}.py")
            for name in (
                "errors",
                "data/files/bytesource",
                "data/layouts/detection",
                "data/keys/values",
                "data/checks/tags",
            )
        )
    )
    assert {"--map", "--encoding", "--ignore"} <= named
    readers = {name for name, c in LEAVES.items() if "--map" in options_of(c)}
    assert {"score", "eval", "fit", "bench", "drift", "merge", "data convert"} <= readers
    for name in readers:
        # Hints of values name --scale for other commands than `pairs`, whose labels are A and B.
        assert named - ({"--scale"} if name == "pairs" else set()) <= options_of(LEAVES[name]), name
    assert "--encoding" in options_of(LEAVES["states"])
