"""Summaries, tables and JSON. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

import click

from ...data import counted
from ...errors import LagerError
from ...judging import SHOWN_FAILURES, Summary
from ...records import Counts
from ...stats import Estimate, Interval, interval_text
from ...system import write_beside
from ..outputs import STDOUT
from .progress import say


def present(json_file: str | None, document: Callable[[], object], tables: Callable[[], None] | None = None) -> None:
    """Print a result as --json asks: its tables (None without it), its JSON ("-"), or both, the JSON to a file.

    document: makes what json.dumps takes. The file appears complete or not at all; raises OutputError where it
    cannot be written.
    """
    if json_file != STDOUT and tables is not None:
        tables()
    if json_file is None:
        return
    text = json.dumps(document(), allow_nan=False)
    if json_file == STDOUT:
        click.echo(text)
    else:
        write_beside(json_file, lambda file: file.write(text + "\n"), text=True)


def number(value: float | None, digits: int = 3) -> str:
    """A figure of a table; - for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def span(interval: Interval | None) -> str:
    """An interval of a table; - for None."""
    return f"[{interval.low:.3f}, {interval.high:.3f}]" if interval else "-"


def span_of(value: float | None, interval: Interval | None) -> str:
    """The interval of a figure; "undefined" where the figure is known and has none, - where neither is."""
    return "undefined" if value is not None and interval is None else span(interval)


def signed(found: Estimate | None) -> tuple[str, str]:
    """A difference and its interval, both with their signs, for two cells of a table; empty where there is none."""
    if found is None or found.value is None or found.interval is None:
        return "", ""
    return f"{found.value:+.3f}", interval_text(found.interval, sign=True)


def warn(lines: Iterable[str]) -> None:
    """Print each line on stderr, as a warning."""
    for line in lines:
        say(f"Warning: {line}")


def show_summary(result: Summary, *, flagged: bool = False, models: int = 1) -> None:
    """Say on stderr what a run did; flagged: whether its rows have `flags`. models: how many read every item."""
    counts, rate = result.counts, result.scored / result.seconds if result.seconds > 0 else 0.0
    stored = f"{counts.stored} " + (f"of {counted(counts.done, 'reading')} " if models > 1 else "")
    say(
        f"{counted(result.scored, 'judgment')} in {result.seconds:.1f} s ({rate:.1f}/s), {stored}from the store, "
        f"{result.failed} failed; {counts.evaluated_tokens} of {counts.prompt_tokens} prompt tokens evaluated"
    )
    if result.mean is not None:
        say(f"scores: mean {result.mean:.2f}, from {result.low:.2f} to {result.high:.2f}")
    show_flags(counts, flagged=flagged)
    said: dict[tuple[str, str, str | None], list[str]] = {}
    for judgment in result.failures:
        said.setdefault((judgment.where, judgment.id, judgment.error), []).append(judgment.rubric)
    for (where, identity, error), rubrics in said.items():
        under = rubrics[0] if len(rubrics) == 1 else f"{len(rubrics)} rubrics"
        click.echo(f"Error: {where}{': ' * bool(where)}item {identity} ({under}): {error}", err=True)
    if result.failed > len(result.failures):
        click.echo(f"Error: and {result.failed - len(result.failures)} more; each row says why", err=True)


def show_unjudged(problems: Sequence[LagerError]) -> None:
    """Say on stderr which items were passed over, and why."""
    for error in problems[:SHOWN_FAILURES]:
        click.echo(f"Error: {error.message}", err=True)
    if len(problems) > SHOWN_FAILURES:
        click.echo(f"Error: and {counted(len(problems) - SHOWN_FAILURES, 'more item')}", err=True)
    for hint in dict.fromkeys(error.hint for error in problems if error.hint):
        click.echo(f"Try: {hint}", err=True)


def show_flags(counts: Counts, *, flagged: bool = False) -> None:
    """Say on stderr what was left out of what was judged; flagged: whether rows with `flags` were written."""
    if counts.thoughts:
        say(
            f"in {counted(counts.thoughts, 'judgment')} the thoughts of the response were left out (--keep-thoughts keeps them)"
        )
    if counts.cut:
        see = " (see `flags`)" if flagged else ""
        cut = counted(counts.cut, "judgment")
        say(f"Warning: in {cut} the prompt was cut to fit into the context{see}")


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A plain table: the first column aligned left, the others right."""
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        """The cells of a row, the first one to the left and the others to the right."""
        parts = [str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(cells, widths))]
        return "  ".join(parts).rstrip()

    return "\n".join([line(head), line(["-" * w for w in widths]), *map(line, rows)])


def show_evaluated(counts: Counts, failed: Sequence[tuple[str, str]] = ()) -> None:
    """Say on stderr what a run evaluated and which items it left out."""
    say(
        f"{counted(counts.done, 'judgment')}, {counts.stored} from the store; "
        f"{counts.evaluated_tokens} of {counts.prompt_tokens} prompt tokens evaluated"
    )
    show_flags(counts)
    for item, reason in failed[:SHOWN_FAILURES]:
        say(f"Warning: item {item} left out: {reason}")
    if len(failed) > SHOWN_FAILURES:
        say(f"Warning: and {counted(len(failed) - SHOWN_FAILURES, 'more item')} left out")
