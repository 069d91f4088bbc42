"""Progress, summaries and tables on the terminal. Results go to stdout, all else to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
from tqdm import tqdm

from ..judging import LOW_MASS, SHOWN_FAILURES, Summary
from ..records import Counts


@contextmanager
def progress(total: int, unit: str = "judgment") -> Iterator[Callable[[Counts], None]]:
    """A bar on stderr with rate and ETA; silent where stderr is no terminal."""
    with tqdm(total=total, unit=unit, file=sys.stderr, disable=not sys.stderr.isatty(), smoothing=0.1) as bar:

        def update(counts: Counts) -> None:
            bar.update(counts.done - bar.n)
            if counts.generated_tokens:
                bar.set_postfix_str(f"{counts.generated_tokens} tokens of feedback", refresh=False)

        yield update


def summary(result: Summary) -> None:
    """What a run did, on stderr."""
    counts, rate = result.counts, result.scored / result.seconds if result.seconds > 0 else 0.0
    click.echo(
        f"{result.scored} judgments in {result.seconds:.1f} s ({rate:.1f}/s), {counts.stored} from the store, "
        f"{result.failed} failed; {counts.evaluated_tokens} of {counts.prompt_tokens} prompt tokens evaluated",
        err=True,
    )
    if result.mean is not None:
        click.echo(f"scores: mean {result.mean:.2f}, from {result.low:.2f} to {result.high:.2f}", err=True)
    if result.low_mass:
        click.echo(
            f"Warning: in {result.low_mass} judgments the labels hold less than {LOW_MASS:.0%} of the probability; "
            "the model wants to say something else there (see `mass`)",
            err=True,
        )
    for judgment in result.failures:
        where = f"{judgment.where}: " if judgment.where else ""
        click.echo(f"Error: {where}item {judgment.id} ({judgment.rubric}): {judgment.error}", err=True)
    if result.failed > len(result.failures):
        click.echo(f"Error: and {result.failed - len(result.failures)} more; each row has its `error`", err=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A plain table: first column left, the others right."""
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        parts = [str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(cells, widths))]
        return "  ".join(parts).rstrip()

    return "\n".join([line(head), line(["-" * w for w in widths]), *map(line, rows)])


def evaluated(counts: Counts, failed: Sequence[tuple[str, str]] = ()) -> None:
    """What a run evaluated and which items it left out, on stderr."""
    click.echo(
        f"{counts.done} judgments, {counts.stored} from the store; "
        f"{counts.evaluated_tokens} of {counts.prompt_tokens} prompt tokens evaluated",
        err=True,
    )
    for item, reason in failed[:SHOWN_FAILURES]:
        click.echo(f"Warning: item {item} left out: {reason}", err=True)
    if len(failed) > SHOWN_FAILURES:
        click.echo(f"Warning: and {len(failed) - SHOWN_FAILURES} more items left out", err=True)
