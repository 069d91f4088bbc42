"""How much of a run is done, how fast it goes, and how long the rest takes.

The work is counted in tokens that are still to be evaluated, after what prompts share and what the store holds, and
in tokens of feedback that are still to be drawn; each kind has a speed of its own. What no prompt was made for yet is
taken to cost what the prompts before it cost.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...records import Counts

# Tokens that are read in the time in which one is drawn, until that has been seen: many texts are drawn side by side.
_READ_WHILE_ONE_IS_DRAWN = 3.0
PLANNING, WRITING, JUDGING = "planning", "writing feedback", "judging"


@dataclass
class _Kind:
    """Work of one kind: its amount so far, and the seconds that it took."""

    amount: int = 0
    seconds: float = 0.0

    def time_of(self, amount: float) -> float | None:
        """The seconds that more work of this kind takes; None where nothing is known of its speed."""
        if amount <= 0:
            return 0.0
        return amount * self.seconds / self.amount if self.amount and self.seconds > 0 else None


class Pace:
    """Follows one run by its counts.

    - `total`: how many judgments the run is of.
    - `now`: the time of its start, in seconds of any clock.
    """

    def __init__(self, total: int, now: float) -> None:
        self.total = total
        self.start = self._last = now
        self.counts = Counts()
        self.phase = PLANNING
        self._read, self._drawn = _Kind(), _Kind()
        # Judgments whose work is part of the plan; prompts and texts that will be read once the texts are written.
        self._planned = 0
        self._expected, self._texts = 0, 0

    def see(self, counts: Counts, now: float) -> None:
        """Take in what a run has done so far."""
        before, self.counts = self.counts, counts
        seconds, self._last = now - self._last, now
        drawn = counts.generated_tokens - before.generated_tokens
        read = counts.evaluated_tokens - before.evaluated_tokens
        if read:
            # The first token of a text comes with its prompt, and takes no decode of its own.
            self.phase = WRITING if counts.planned_texts > counts.written_texts else JUDGING
            self._read.amount += read
            self._read.seconds += seconds
        elif drawn:
            self.phase = WRITING
            self._drawn.amount += drawn
            self._drawn.seconds += seconds
        planned = counts.planned_tokens - before.planned_tokens
        if counts.planned_texts > before.planned_texts:
            self._expected, self._texts = planned, counts.planned_texts - before.planned_texts
        elif planned:
            self._expected, self._texts = 0, 0
        if counts.seen == before.seen:
            self._planned = counts.seen
        elif not drawn and not read and counts.planned_tokens <= counts.evaluated_tokens:
            self.phase = PLANNING

    @property
    def done(self) -> int:
        """How many judgments are finished."""
        return self.counts.done

    @property
    def made(self) -> int:
        """For how many judgments prompts were made."""
        return self.counts.seen

    @property
    def finished(self) -> bool:
        """Whether every judgment is finished."""
        return self.done >= self.total

    @property
    def speed(self) -> float | None:
        """Tokens per second of what is going on; None where nothing is known."""
        kind = self._drawn if self.phase == WRITING else self._read
        return kind.amount / kind.seconds if kind.seconds > 0 else None

    @property
    def spared(self) -> float | None:
        """The share of the prompts' tokens that need no evaluation; None where none have been counted."""
        tokens = self.counts.prompt_tokens
        planned = self.counts.planned_tokens
        return max(0.0, 1.0 - planned / tokens) if tokens else None

    def left(self, now: float) -> float | None:
        """The seconds that the rest takes; None where nothing is known of it."""
        if self.finished:
            return 0.0
        counts, (unwritten, length) = self.counts, self._unwritten()
        unread = max(0, counts.planned_tokens - counts.evaluated_tokens) + self._expected + self._texts * length
        if not self._planned or not (unwritten or unread or self.done >= self._planned):
            return None  # what is to be read has not been counted yet
        writing, reading = self._drawn.time_of(unwritten), self._read.time_of(unread)
        if writing is None:
            writing = self._read.time_of(_READ_WHILE_ONE_IS_DRAWN * unwritten)
        if writing is None or reading is None:
            return None
        # What was measured after the last report is still running.
        here = max(0.0, writing + reading - (now - self._last))
        spent = now - self.start
        return here + max(0, self.total - self._planned) / self._planned * (spent + here)

    def share(self, now: float) -> float | None:
        """How much of the whole time has passed, 0 to 1; None where nothing is known of the rest."""
        left, spent = self.left(now), now - self.start
        return None if left is None else spent / (spent + left) if spent + left > 0 else 1.0

    def _unwritten(self) -> tuple[float, float]:
        """The tokens of feedback that are still to be drawn, and the mean length of a text.

        The length is what was drawn for each text that has ended (the estimate for a constant chance of an end), and
        at most what may be drawn.
        """
        counts = self.counts
        texts, ended = counts.planned_texts, counts.written_texts
        if not texts:
            return 0.0, 0.0
        length = (counts.most_generated) / texts
        drawn = counts.generated_tokens
        if ended:
            length = min(length, drawn / ended)
        return (0.0 if ended >= texts else max(0.0, texts * length - drawn)), length


def clock(seconds: float) -> str:
    """A time as minutes and seconds, or hours, minutes and seconds: "2:05", "1:02:05"."""
    whole = int(seconds + 0.5)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
