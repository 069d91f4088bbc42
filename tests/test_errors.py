"""Errors that cross the border of a process arrive as they were, and advise in the words of the door in use."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import lager_lite
from lager_lite.data import read_items
from lager_lite.errors import (
    COMMAND,
    GIVEN,
    PYTHON,
    REQUEST,
    Advice,
    DataError,
    LagerError,
    error_from_json,
    error_to_json,
    rows_given,
    through,
)
from lager_lite.system.offline import OfflineError

ROOT = Path(lager_lite.__file__).parent


@pytest.mark.parametrize("kind", [LagerError, DataError, OfflineError])
def test_an_error_arrives_with_its_kind_message_and_hint(kind):
    sent = kind("line one\nline two, “é”", "do this")
    told = error_to_json(sent)
    assert "\n" not in told
    found = error_from_json(told)
    assert (type(found), found.message, found.hint) == (kind, sent.message, sent.hint)


def test_a_kind_that_is_not_known_here_is_a_plain_error():
    found = error_from_json('{"kind": "OSError", "message": "m", "hint": "h"}')
    assert (type(found), found.message, found.hint) == (LagerError, "m", "h")


def test_advice_arrives_for_every_door_and_is_told_in_the_words_of_the_one_in_use():
    advice = Advice("give --map id=KEY", 'give mapping={"id": "KEY"}', request="give an id")
    found = error_from_json(error_to_json(DataError("no id", advice)))
    told = {}
    for door in (COMMAND, PYTHON, GIVEN, REQUEST):
        with through(door):
            told[door] = found.hint
    assert found.hint == told[PYTHON] == told[GIVEN] == 'give mapping={"id": "KEY"}'
    assert (told[COMMAND], told[REQUEST]) == ("give --map id=KEY", "give an id")
    with through(REQUEST), rows_given():
        assert found.hint == "give an id"


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        ({"prompt": "Q", "note": "N"}, 'name the key with mapping={"response": "KEY"}'),
        ({"prompt": "Q", "outputs": ["a", "b"]}, 'mapping={"responses": "outputs"} judges each of its texts'),
        ({"prompt": "Q", "response_a": "a", "response_b": "b"}, 'mapping={"response": "response_a"} judges one'),
    ],
)
def test_a_program_is_advised_arguments_and_no_options(tmp_path, row, advice):
    (tmp_path / "in.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_items(tmp_path / "in.jsonl")
    assert advice in error.value.hint and "--" not in error.value.hint
    with through(COMMAND):
        assert "--map " in error.value.hint


# Modules that only commands use, or whose options are those of another program.
OF_COMMANDS = (
    "backbones/caches.py",
    "backbones/locate.py",
    "llama/asked.py",
    "llama/build.py",
    "llama/guard.py",
    "llama/library.py",
    "llama/native_tap.py",
    "llama/pip.py",
    "llama/proof.py",
    "llama/rpc.py",
    "llama/source.py",
    "performance/peers.py",
    "prompts/rubric_file.py",
    "scaleout/ray_workers.py",
    "system/offline.py",
)
OPTION = re.compile(r"(?<![\w-])(?:--[a-z][a-z-]*[a-z]|-(?:[bcmnorvw]|ub|ctk|ctv))(?![\w-])")


def said_through_every_door(path: Path) -> list[str]:
    """Texts of a module that name an option, other than docstrings and the words of a command in an Advice."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Advice" and node.args:
            said = [node.args[0], *(k.value for k in node.keywords if k.arg == "request")]  # a server has options, too
            apart |= {id(inner) for part in said for inner in ast.walk(part)}
    texts = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    texts = (n for n in texts if " " in n.value or n.value.startswith("--"))
    return [node.value for node in texts if id(node) not in apart and OPTION.search(node.value)]


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(ROOT.rglob("*.py")) if p.relative_to(ROOT).parts[0] not in ("cli", "docs")],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_options_are_advised_to_commands_only(path):
    if path.relative_to(ROOT).as_posix() not in (*OF_COMMANDS, "errors.py"):
        assert said_through_every_door(path) == []
