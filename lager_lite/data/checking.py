"""A file looked at before anything is judged: what was understood, what is odd, and which rows cannot be judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..prompts import Rubric, missing_fields
from ..records import Item
from .checks import OddityWatch
from .items import open_reader
from .keys import Maps, Understood, counted
from .layouts import ANSWER


@dataclass(frozen=True)
class CheckedFile:
    """What `check_file` found.

    understood: which keys became which fields.
    first: the first item that can be judged, None where there is none.
    odd: what is probably not as it was meant, in sentences.
    errors: what keeps rows from being judged, in sentences; empty for a file that is fine.
    """

    understood: Understood
    first: Item | None
    odd: tuple[str, ...]
    errors: tuple[str, ...]


def check_file(
    path: str | Path,
    mapping: Maps | None = None,
    layout: str | None = None,
    *,
    rubrics: Sequence[Rubric] = (),
    encoding: str | None = None,
    labels: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
    keep_thoughts: bool = False,
    unit: str = ANSWER,
) -> CheckedFile:
    """Read a whole file and say what is understood, odd and wrong about it; of its items only the first is kept.

    path, mapping, layout, encoding, labels, ignore, keep_thoughts and unit as `open_reader`. rubrics: those that it is to be judged by.
    Raises DataError where no item can be read.
    """
    how: dict[str, Any] = {"encoding": encoding, "labels": labels, "ignore": ignore, "keep_thoughts": keep_thoughts}
    reader = open_reader(path, mapping, layout, unit=unit, **how)
    observer, oddities = reader.observer(), OddityWatch()
    first: Item | None = None
    needs: Counter[tuple[str, tuple[str, ...]]] = Counter()
    lacking: list[str] = []
    errors: list[str] = []
    try:
        for item in reader.checked(observer.see):
            oddities.see(item)
            absent = [(rubric.name, missing) for rubric in rubrics if (missing := missing_fields(rubric, item))]
            needs.update(absent)
            lacking += [item.where] if reader.missing(item) else []
            if first is None and not absent and not reader.missing(item):
                first = item
    except DataError as error:
        if not observer.items:
            raise
        errors += error.message.splitlines()
        errors[-1] += f" ({error.hint})" if error.hint else ""
    understood = reader.understood(observer)
    if lacking and not errors:
        errors.append(f"{counted(len(lacking), 'row')} without a response cannot be judged, first {lacking[0]}")
    errors += [
        f"the rubric {name} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} missing in {count} of {counted(observer.items, 'item')}"
        for (name, missing), count in needs.items()
        if missing != ("response",)
    ]
    return CheckedFile(understood, first, oddities.found(understood, rubrics), tuple(errors))
