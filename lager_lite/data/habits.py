"""How one file writes its human scores, where a single row does not tell: 1 and 0 for two labels, shares of one whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ..errors import DataError
from .checks import without_judgment
from .keys import SHARE, marks_of, number_of
from .layouts import without
from .repeats import ReadRows


class ScoreReader(ReadRows, Protocol):
    """What is used of an `ItemReader` here."""

    @property
    def several(self) -> Mapping[str, Sequence[str]]: ...

    @property
    def labels(self) -> Mapping[str, float]: ...

    @property
    def need_scores(self) -> bool: ...


def file_labels(reader: ScoreReader) -> Mapping[str, float]:
    """What the labels are worth in a file: of two that are words, 1 is the better and 0 the worse one where it has no
    other numbers, and a 0.

    Raises DataError, with both places, where the shares of a file are of different wholes, such as 4/5 and 8/10.
    """
    labels = reader.labels
    if not reader.need_scores:
        return labels
    low, high = min(labels.values(), default=0.0), max(labels.values(), default=0.0)
    two = len(labels) == 2 and (low, high) != (0, 1) and all(number_of(label) is None for label in labels)
    known = {label.casefold() for label in labels}
    first: tuple[str, str, str] | None = None
    numbers: set[float] = set()
    for where, mark in _marks(reader):
        number = number_of(mark)
        numbers.update([] if number is None or len(numbers) > 2 else [number])
        share = SHARE.fullmatch(mark) if isinstance(mark, str) and mark.strip().casefold() not in known else None
        if share is None:
            continue
        first = first or (share[2], mark.strip(), where)
        if int(share[2]) != int(first[0]):
            raise DataError(
                f"{where}: the score {mark.strip()!r} is out of {share[2]}, but {first[1]!r} at {first[2]} out of {first[0]}",
                "write all scores on one scale",
            )
    return {**labels, "0": low, "1": high} if two and 0 in numbers and numbers <= {0, 1} else labels


def _marks(reader: ScoreReader) -> Iterator[tuple[str, Any]]:
    mapped = {*reader.mapping.values(), *(key for keys in reader.several.values() for key in keys)}
    for row in reader.rows:
        scored = without_judgment(without(row, reader.ignore), mapped)
        for mark in marks_of(scored, reader.mapping, reader.several):
            yield row.where, mark
