"""What a gate found, for a CI: a summary in GitHub's Markdown, and JUnit XML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from ..data import counted
from ..errors import OutputError
from ..system import write_beside
from ..tasks import Check, GateResult

# GitHub shows summaries of up to 1 MiB.
_MOST_ROWS = 500
# What XML 1.0 cannot hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@<>&$-])")


def gate_rows(found: GateResult) -> list[tuple[str, ...]]:
    """The checks as rows of a table under `gate_head`."""
    return [
        (
            check.part,
            _KINDS[check.kind],
            str(check.rows),
            str(check.groups),
            _number(check.value, check.kind),
            "-" if check.low is None else f"[{_number(check.low, check.kind)}, {_number(check.high, check.kind)}]",
            f"{check.bound:g}",
            check.verdict,
        )
        for check in found.checks
    ]


def gate_head(found: GateResult) -> tuple[str, ...]:
    """The names of the columns of `gate_rows`."""
    level = f"{100 * found.rule.confidence:g}% interval"
    return ("part", "of", "rows", "groups", "value", level, "at least", "verdict")


def gate_notes(found: GateResult) -> list[str]:
    """What to say below the table, a sentence each: how much more would decide a check, and what has no score."""
    notes = [
        f"{check.part} ({_KINDS[check.kind]}) is undecided: it would take about {check.needed} groups, and there are {check.groups}"
        if check.needed
        else f"{check.part} ({_KINDS[check.kind]}) is undecided: {_why_undecided(check)}"
        for check in found.checks
        if check.verdict == "undecided"
    ]
    if found.errors:
        notes.append(
            f"{found.errors} of {counted(found.rows, 'row')} {'has' if found.errors == 1 else 'have'} no score; the first: "
            f"{found.first_error}"
        )
    return notes


def gate_markdown(found: GateResult) -> str:
    """The result as Markdown, as GitHub shows it; names are escaped, and failing checks come first."""
    wrong = set(found.failing)
    order = sorted(range(len(found.checks)), key=lambda place: found.checks[place] not in wrong)
    rows = [gate_rows(found)[place] for place in order]
    head = gate_head(found)
    lines = [
        f"### lager-lite gate {_escaped(found.summary)}",
        "",
        _line(head),
        _line([":--"] * 2 + ["--:"] * 5 + [":--"]),
    ]
    lines += [_line([*map(_escaped, row[:-1]), _stressed(row[-1])]) for row in rows[:_MOST_ROWS]]
    if rows[_MOST_ROWS:]:
        lines += ["", f"and {counted(len(rows) - _MOST_ROWS, 'more check')}"]
    notes = [*gate_notes(found), *found.warnings]
    lines += [""] + [f"- {_escaped(note)}" for note in notes[:_MOST_ROWS]] if notes else []
    return "\n".join(lines) + "\n\n"


def append_markdown(path: str | Path, found: GateResult) -> None:
    """Append the Markdown to a file, as GitHub's steps do. Raises OutputError where it cannot be written."""
    try:
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.write(gate_markdown(found))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path}: cannot write: {reason}", "GITHUB_STEP_SUMMARY names this file") from None


def gate_junit(found: GateResult) -> bytes:
    """The result as JUnit XML in UTF-8: a test case for every check, and one for the rows without a score."""
    failing = set(found.failing)
    failures = len(failing) + found.too_many_errors
    numbers = {"tests": len(found.checks) + 1, "failures": failures, "errors": 0, "skipped": 0}
    told = {name: str(number) for name, number in numbers.items()} | {"time": "0"}
    root = ElementTree.Element("testsuites", {"name": "lager-lite gate", **told})
    suite = ElementTree.SubElement(root, "testsuite", {"name": "lager-lite gate", **told})
    for check in found.checks:
        what = f"{check.part}: {_KINDS[check.kind]} at least {check.bound:g}"
        case = _case(suite, f"lager-lite.gate.{check.kind}", what)
        said = f"{check.verdict}: {_said(check, found)}"
        if check in failing:
            failure = ElementTree.SubElement(case, "failure", {"message": _xml(said), "type": check.verdict})
            failure.text = _xml(f"{what}\n{said}")
        else:
            ElementTree.SubElement(case, "system-out").text = _xml(said)
    case = _case(suite, "lager-lite.gate.errors", f"at most {counted(found.allowed_errors, 'row')} without a score")
    if found.too_many_errors:
        said = f"{counted(found.errors, 'row')} without a score"
        failure = ElementTree.SubElement(case, "failure", {"message": said, "type": "errors"})
        failure.text = _xml(found.first_error)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def write_junit(path: str | Path, found: GateResult) -> None:
    """Write the JUnit XML, complete or not at all. Raises OutputError where it cannot be written."""
    write_beside(path, lambda file: file.write(gate_junit(found)))


_KINDS = {"mean": "mean score", "change": "change from before"}


def _case(suite: ElementTree.Element, group: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", {"classname": group, "name": _xml(name), "time": "0"})


def _said(check: Check, found: GateResult) -> str:
    if check.value is None:
        return "no row has a score"
    interval = "no interval"
    if check.low is not None:
        ends = f"{_number(check.low, check.kind)} to {_number(check.high, check.kind)}"
        interval = f"{100 * found.rule.confidence:g}% interval {ends}"
    return f"{_number(check.value, check.kind)}, {interval}, of {counted(check.rows, 'row')} in {counted(check.groups, 'group')}"


def _why_undecided(check: Check) -> str:
    if check.value is None:
        return "no row has a score"
    if check.low is None:
        return (
            "all scores are alike, and their scale is not known" if check.groups > 1 else "one group gives no interval"
        )
    return "the mean equals the bound"


def _number(value: float | None, kind: str) -> str:
    if value is None:
        return "-"
    return f"{value:+.3f}" if kind == "change" else f"{value:.3f}"


def _stressed(verdict: str) -> str:
    return verdict if verdict == "met" else f"**{verdict}**"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return _NOT_MARKDOWN.sub(r"\\\1", " ".join(_xml(text).split()))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
