"""Copies: judgments of the same texts in several groups, which folds by group do not keep apart."""

from __future__ import annotations

from ..data import counted
from ..errors import Advice
from .labelled import Labelled
from .seen import item_mark


def copies_apart(data: Labelled) -> list[str]:
    """A warning where judgments are of the very texts of judgments of another group; none where texts are not known."""
    marks = [item_mark(item) for item in data.items]
    groups: dict[str, set[str]] = {}
    for mark, group in zip(marks, data.group.tolist()):
        groups.setdefault(mark, set()).add(group)
    count = sum(len(groups[mark]) > 1 for mark in marks)
    if not count:
        return []
    how = Advice("name a field that they share with --group", "give them one group")
    verb = "is" if count == 1 else "are"
    return [
        f"{counted(count, 'judgment')} {verb} of texts that stand in another group as well, so folds do not keep copies "
        f"apart, and what is fitted knows the answers: leave the copies out, or {how}"
    ]
