"""Hints name options that the command in use has: what `tests/advice.py` finds, and commands that advised others.

Every command that any test runs is checked in the same way, see `advice_is_checked` in conftest.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import lager_lite
from lager_lite.cli import main
from lager_lite.cli.grammar import commands_of
from lager_lite.tasks import labelling
from tests.advice import OPTION, misadvised, options_of, plurals_of_one

ROOT = Path(lager_lite.__file__).parent


@pytest.mark.parametrize(
    ("command", "line", "wrong"),
    [
        ("estimate", "Try: give --include-seen", True),
        ("eval", "Try: give --include-seen", False),
        ("estimate", "Try: give --include-seen to `eval`", False),
        ("next", "f.jsonl: Warning: use -n or --shard", True),
        ("score", "Try: lager-lite fit --kind states -o w.json", False),
        ("score", "2 of 3 are done; --nothing is printed as a result", False),
    ],
)
def test_advice_of_another_command_is_found(command, line, wrong):
    assert bool(misadvised(command, [line])) is wrong


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("Warning: 1 methods are in A only: length", True),
        ("1 of 3 items are seen", True),
        ("1 item, 1 group, 21 items, layer 1 has it, 0.1 points, 1 class", False),
        ('{"text": "1 items"}', False),
    ],
)
def test_a_plural_of_one_is_found(line, wrong):
    assert bool(plurals_of_one([line])) is wrong


def test_every_option_in_any_advice_is_one_of_a_command():
    known = set().union(*(options_of(command) for _, command in commands_of(main)))
    unknown = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Advice" and node.args:
                texts = [n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant)]
                found = {option for text in texts for option in OPTION.findall(str(text))}
                unknown += [(path.name, node.lineno, option) for option in sorted(found - known)]
    assert unknown == []


@pytest.fixture
def labelled(run, tmp_path, tiny_model):
    """40 rows that two responses of each of 20 questions make, and weights that were fitted on all of them."""
    rows = [
        {"instruction": f"Question {n // 2}?", "response": f"word {n}", "score": 1 + 4 * (n % 2)} for n in range(40)
    ]
    write(tmp_path / "in.jsonl", rows)
    done = run(
        "fit", "in.jsonl", "-m", tiny_model, "-r", "good.toml", "-t", 1, "-q", "--kind", "signed", "-o", "w.json"
    )
    assert done.exit_code == 0, done.output
    return lambda *arguments: run(*arguments, "-m", tiny_model, "-t", 1, "-r", "good.toml")


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    [("eval", "in.jsonl"), ("estimate", "in.jsonl", "in.jsonl"), ("knowledge", "in.jsonl", "--cv", 2), ("rank", "in.jsonl", "--json")],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_weights_that_know_every_row_are_refused_with_advice_of_the_command(labelled, arguments):
    done = labelled(*arguments, "-w", "w.json")
    assert done.exit_code == 1 and "nothing is left" in done.stderr and "Try: " in done.stderr
    assert ("--include-seen" in done.stderr) is (arguments[0] == "eval")


def test_rank_orders_responses_that_the_weights_know_and_says_why_there_are_no_figures(labelled):
    done = labelled("rank", "in.jsonl", "-w", "w.json")
    assert done.exit_code == 0 and len(done.stdout.splitlines()) == 40
    assert "fitted on responses or groups of 20 of 20 pairs: nothing is left" in done.stderr


@pytest.mark.parametrize("scores", [(True, False), ("PASS", "FAIL")], ids=str)
def test_pairs_does_not_advise_a_scale(labelled, tmp_path, scores):
    write(tmp_path / "p.jsonl", [{"instruction": "Q", "response": f"r{n}", "score": scores[n]} for n in range(2)])
    done = labelled("pairs", "p.jsonl")
    assert done.exit_code == 1 and "Try: give numbers" in done.stderr


def test_next_says_how_many_rows_it_can_compare(labelled, monkeypatch):
    monkeypatch.setattr(labelling, "MOST_ROWS", 50)
    done = labelled("next", "in.jsonl", "in.jsonl")
    assert done.exit_code == 1
    assert done.stderr.endswith("Try: give at most 50, labelled and unlabelled ones together\n")


def test_a_store_that_cannot_be_is_answered_with_the_options_at_hand(run, tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    done = run("store", "info", "--store", "file/s.sqlite")
    assert done.exit_code == 1 and done.stderr.endswith("Try: name a store elsewhere with --store PATH\n")


@pytest.mark.parametrize(
    ("option", "field", "said"),
    [
        ("--control", "words", "no item has the field 'words'"),
        ("--beside", "response", "expected a number"),
        ("--control", "some", "item '2' lacks the field 'some', which others have"),
    ],
)
def test_a_field_that_is_no_number_is_refused_by_name(labelled, tmp_path, option, field, said):
    rows = [json.loads(line) for line in (tmp_path / "in.jsonl").read_text(encoding="utf-8").splitlines()]
    write(
        tmp_path / "t.jsonl", [{**row, "pos": 1} if n else {**row, "some": 2, "pos": 1} for n, row in enumerate(rows)]
    )
    done = labelled("fit", "t.jsonl", option, field, "-o", "t.json")
    assert done.exit_code == 1 and said in done.stderr


def test_scores_beyond_the_scale_are_answered_with_a_scale_that_works(labelled, tmp_path):
    rows = [{"instruction": f"Q{n // 2}", "response": f"word {n}", "score": 2 + 15 * (n % 8)} for n in range(40)]
    write(tmp_path / "wide.jsonl", rows)
    done = labelled("fit", "wide.jsonl", "-o", "w2.json", "--scale", "0-9")
    assert done.exit_code == 1 and "they range from 2 to 107" in done.stderr
    scale = done.stderr.rsplit("--scale ", 1)[1].split()[0]
    assert labelled("fit", "wide.jsonl", "-o", "w2.json", "--scale", scale, "--control", "length").exit_code == 0
