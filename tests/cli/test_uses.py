"""What the commands for the paper's experiments share: one way to name the model, weights, store and report."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest

from lager_lite.cli import main

USES = ("eval", "rank", "knowledge", "select", "inspect")
SHARED = (
    "model",
    "weights",
    "force",
    "store_path",
    "no_store",
    "rubrics",
    "scale",
    "overflow",
    "exact",
    "mapping",
    "layout",
)
PACKAGE = Path(__file__).resolve().parents[2] / "lager_lite"


def options(name):
    command = main.get_command(click.Context(main), name)
    return {parameter.name: parameter for parameter in command.params}


@pytest.mark.parametrize("name", USES)
def test_model_weights_store_and_report_are_given_the_same_way(name):
    mine, first = options(name), options(USES[0])
    for option in SHARED:
        assert mine[option].opts == first[option].opts
        # `knowledge` asks one question, so its rubric has a default of its own and is given once.
        if (name, option) != ("knowledge", "rubrics"):
            assert mine[option].default == first[option].default
            # Commands that take a panel say so behind the shared text.
            short, long = sorted((mine[option].help, first[option].help), key=len)
            assert long in (short, f"{short} Several -m make a panel.")
    assert (
        "--report" in mine["report"].opts and mine["report"].type.to_info_dict() == first["report"].type.to_info_dict()
    )


def test_readings_are_made_by_the_judge_alone():
    """No command and no use has a scoring loop of its own: prompts are evaluated by the judge's reader, the trial load,
    `states`, and what measures or checks models."""
    calling = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if (
                called == "evaluate_beside"
                or called in ("evaluate", "read_states")
                and isinstance(node.func, ast.Attribute)
            ):
                calling.add("/".join(path.relative_to(PACKAGE).with_suffix("").parts))
    assert calling == {
        "judging/headcheck",
        "judging/reader",
        "llama/beside",
        "llama/first_load",
        "llama/proof",
        "llama/backbone",
        "llama/company",
        "performance/bench",
        "performance/pruning",
        "performance/tuning",
        "scaleout/ray_workers",
        "tasks/states",
    }
