"""What a command shows while it works.

On a terminal it is one line that is drawn anew twice a second and cleared at the end, however that comes. Elsewhere
it is a plain line after ten seconds, and from then on ever more rarely, so that a log stays short and yet says that
the work goes on. With --quiet it is nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from tqdm import tqdm

from ...records import Counts
from ..outputs import STDOUT
from ..streams import is_quiet, raw_stderr, visible
from .pace import PLANNING, Pace, clock

# Seconds: between two drawings, before the first plain line, and the most between two plain lines.
REDRAW, FIRST_LINE, MOST_BETWEEN = 0.5, 10.0, 60.0
# The resolution of the bar.
_STEPS = 1000


class Status:
    """What is shown at one moment.

    - `text`: what goes on.
    - `share`: how much is done, 0 to 1; None: not known.
    - `detail`: how it goes on.
    """

    def __init__(self, text: str, share: float | None = None, detail: str = "") -> None:
        self.text, self.share, self.detail = text, share, detail

    @property
    def line(self) -> str:
        """The status as a plain line."""
        share = [] if self.share is None else [f"{100 * self.share:.0f}%"]
        return ": ".join(part for part in (self.text, ", ".join([*share, *filter(None, [self.detail])])) if part)


def say(text: str) -> None:
    """Print a line of side talk on stderr, above what is shown there; nothing with --quiet."""
    if is_quiet():
        return
    if getattr(tqdm, "_instances", None):
        tqdm.write(visible(text), file=raw_stderr())
    else:
        click.echo(text, err=True)


@contextmanager
def shown(status: Callable[[], Status], *, hidden: bool = False) -> Iterator[None]:
    """Show what `status` returns for as long as the block runs; hidden: show nothing."""
    if hidden or is_quiet():
        yield
        return
    stopped = threading.Event()
    draw = _on_terminal if sys.stderr.isatty() else _plainly
    thread = threading.Thread(target=draw, args=(status, stopped), daemon=True, name="progress")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@contextmanager
def show_progress(
    total: int, then: str = "finishing", *, rows_to: str | None = None
) -> Iterator[Callable[[Counts], None]]:
    """Show how judging goes: a bar, throughput, what is shared, and the time left.

    - `total`: the number of judgments.
    - `then`: what is done once they are all there, in words.
    - `rows_to`: the file that rows are written to meanwhile. On stdout they show the progress themselves, and where
      that is a terminal, a line would be drawn between them.
    """
    pace = Pace(total, time.monotonic())
    since: list[float] = []

    def update(counts: Counts) -> None:
        now = time.monotonic()
        pace.see(counts, now)
        if pace.finished and not since:
            since.append(now)

    def status() -> Status:
        """How far the steps are, and the time that is left."""
        now = time.monotonic()
        if since:
            return Status(then, detail=clock(now - since[0]))
        return Status(pace.phase, pace.share(now), "  ".join(_details(pace, now)))

    with shown(status, hidden=rows_to == STDOUT and sys.stdout.isatty()):
        yield update


@contextmanager
def show_stage(text: str) -> Iterator[None]:
    """Show what goes on, and since when, for work whose end is not known."""
    start = time.monotonic()
    with shown(lambda: Status(text, detail=clock(time.monotonic() - start))):
        yield


@contextmanager
def show_steps(text: str, then: str = "finishing") -> Iterator[Callable[[int, int], None]]:
    """Show a work of about equal steps; the block's function takes how many steps are done and how many there are.

    A call with 0 steps starts the clock anew. then: what is done after the last step, in words.
    """
    start, at = time.monotonic(), [0, 0]

    def update(done: int, steps: int) -> None:
        nonlocal start
        at[:] = done, steps
        start = start if done else time.monotonic()

    def status() -> Status:
        """What is shown now: a bar with the time that is left, and after the last step what comes then."""
        done, steps = at
        spent = time.monotonic() - start
        if done >= steps:
            return Status(then if steps else text, detail=clock(spent))
        left = f"  {clock(spent / done * (steps - done))} left" if done else ""
        return Status(text, done / steps, f"{done}/{steps}{left}")

    with shown(status):
        yield update


def _details(pace: Pace, now: float) -> Iterator[str]:
    if pace.phase == PLANNING:
        yield f"{pace.made}/{pace.total} prompts"
        return
    yield f"{pace.done}/{pace.total} judgments"
    left = pace.left(now)
    if left is not None:
        yield f"{clock(left)} left"
    if pace.speed is not None:
        yield f"{pace.speed:.0f} tokens/s"
    if pace.spared:
        yield f"{100 * pace.spared:.0f}% shared"


def _on_terminal(status: Callable[[], Status], stopped: threading.Event) -> None:
    """Draw the line until `stopped`; quick work ends before the first drawing."""
    if stopped.wait(REDRAW):
        return
    tqdm.monitor_interval = 0  # its thread would do what this one does
    # tqdm hides a line below the last row, and some terminals say that they have none: nrows.
    with tqdm(total=_STEPS, file=raw_stderr(), leave=False, bar_format="{desc}", nrows=20) as bar:
        furthest = 0.0
        while True:
            now, bar.ncols = status(), _columns()
            tail = now.detail.replace("{", "{{").replace("}", "}}")
            head = now.text.replace("{", "{{").replace("}", "}}")
            if now.share is None:
                bar.bar_format = f"{head}  {tail}"[: bar.ncols]
            else:
                furthest = max(furthest, now.share)
                bar.n = int(_STEPS * furthest)
                bar.bar_format = f"{head} {{percentage:3.0f}}% |{{bar}}| {tail}"
            bar.refresh()
            if stopped.wait(REDRAW):
                return


def _columns() -> int:
    """How many characters the line may have: one less than the terminal's, since some break a line that is full."""
    try:
        columns = os.get_terminal_size(raw_stderr().fileno()).columns
    except (AttributeError, OSError, ValueError):
        columns = shutil.get_terminal_size().columns
    return max(20, (columns or 80) - 1)


def _plainly(status: Callable[[], Status], stopped: threading.Event) -> None:
    pause = FIRST_LINE
    while not stopped.wait(pause):
        click.echo(status().line, err=True)
        pause = min(MOST_BETWEEN, 2 * pause)
