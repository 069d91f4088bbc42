"""lager-lite gate"""

from __future__ import annotations

import os
from typing import Any

import click

from ...report import append_markdown, write_junit
from ...system import check_not_read
from ...tasks import GateResult, GateRule, gate, read_scores
from ..grammar import command as cli_command
from ..options import BOUND, MAX_ERRORS, PERCENT, POINTS, encoding_option, json_option, quiet_option
from ..outputs import OutputFile
from ..show.gates import show_gate
from ..show.terminal import present, warn

MISSED_EXIT = 3
_SUMMARY_FILE = "GITHUB_STEP_SUMMARY"


def _rule(given: dict[str, Any]) -> GateRule:
    """What is asked for; what is wrong in the options is said before a file is read."""
    bounds = dict(given["fail_under"])
    if not bounds and not given["compare"]:
        raise click.UsageError("give a bound with --fail-under, or an earlier run with --compare, or both")
    if given["no_worse_than"] is not None and not given["compare"]:
        raise click.UsageError("--no-worse-than needs the earlier run: --compare old.jsonl")
    if any(bounds) and not given["by"]:
        name = next(filter(None, bounds))
        raise click.UsageError(f"a bound for {name!r} needs --by, which says of what field this is a value")
    return GateRule(
        bounds,
        no_worse_than=(given["no_worse_than"] or 0.0) if given["compare"] else None,
        by=given["by"],
        group=given["group"],
        confidence=given["confidence"] / 100,
        strict=given["strict"],
        max_errors=given["max_errors"],
    )


def _write(given: dict[str, Any], inputs: list[str], found: GateResult) -> None:
    """Write the files for the CI."""
    if given["junit"]:
        write_junit(given["junit"], found)
    if given["summary"]:
        path = os.environ.get(_SUMMARY_FILE)
        if path:
            check_not_read(path, inputs)
            append_markdown(path, found)
        else:
            warn([f"{_SUMMARY_FILE} is not set, as it is in a step of GitHub Actions: no summary is written"])


@cli_command("gate", example="lager-lite gate scores.jsonl --fail-under 3.5 --by criterion")
@click.argument("scores", metavar="SCORES")
@click.option(
    "--fail-under",
    type=BOUND,
    multiple=True,
    metavar="[PART=]BOUND",
    help="Lowest mean score that passes; with PART=, for this value of the field of --by. May be repeated.",
)
@click.option("--by", metavar="FIELD", help="Check each criterion, each system, or each value of FIELD by itself.")
@click.option(
    "--compare",
    type=click.Path(dir_okay=False),
    metavar="OLD",
    help="Read an earlier output of `score`, and compare item by item.",
)
@click.option(
    "--no-worse-than",
    type=POINTS,
    help="With --compare: points by which the mean may fall.  [default: 0]",
)
@click.option("--confidence", type=PERCENT, default=95, show_default=True, help="Coverage of the intervals in percent.")
@click.option("--strict", is_flag=True, help="Also fail where a check is undecided.")
@click.option(
    "--max-errors",
    type=MAX_ERRORS,
    default=0,
    show_default=True,
    help="How many rows may lack a score: a number, or a share such as 2%.",
)
@click.option(
    "--group",
    metavar="FIELD",
    help="Field that says which rows belong together, so that only rows of different groups are independent.  [default: "
    "group, else the conversation of a turn, else the id]",
)
@click.option(
    "--summary",
    type=click.Choice(["github"]),
    help="Append a table in Markdown to the file that GITHUB_STEP_SUMMARY names.",
)
@click.option("--junit", type=OutputFile((".xml",)), help="Write JUnit XML to this file.")
@encoding_option
@json_option
@quiet_option
def command(scores: str, json_file: str | None, **given: Any) -> None:
    """Fail a build where the SCORES that `score` wrote are too low. No model is read.

    The mean of the scores is held against the bound of --fail-under together with its interval. The bound is missed
    where the whole interval lies below it, and met where none of it does. In between it is undecided: that passes,
    and with --strict it fails. So a build does not fail by chance, and with --strict it does not pass by chance.

    --compare does the same with the differences from an earlier run, paired by id and rubric: the bound is missed
    where the scores are shown to have fallen by more than --no-worse-than. Both runs must be scored by the same
    judge; another scale or other weights are refused. So is a file whose own rows show that two judges scored them.

    Exit codes: 0 passed; 3 a bound is missed, or with --strict undecided; 1 an error, or more rows without a score
    than --max-errors; 2 wrong usage.
    """
    rule = _rule(given)
    rows = read_scores(scores, encoding=given["encoding"])
    old = read_scores(given["compare"], encoding=given["encoding"]) if given["compare"] else None
    found = gate(rows, rule, old)
    warn(found.warnings)
    present(json_file, found.to_dict, lambda: show_gate(found))
    _write(given, [path for path in (scores, given["compare"]) if path], found)
    click.get_current_context().exit(MISSED_EXIT if found.failing else 1 if found.too_many_errors else 0)
