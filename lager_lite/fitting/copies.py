"""Copies: judgments of the same texts in several groups, which folds by group do not keep apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..data import counted
from ..errors import Advice
from ..records import Item
from .seen import item_mark, response_marks
from .writers import names_in_several

# A refusal or a template may stand in a few rows of any file.
_SHARE = 0.02
_NOT_APART = "so folds do not keep copies apart"


def copies_apart(
    items: Sequence[Item], groups: Iterable[str], *, what: str = "judgment", regroups: bool = True
) -> list[str]:
    """Warnings where texts, or a share of the long responses, stand in several groups; none where no texts are known.

    items, groups: of every judgment (n,). what: the name of one of them. regroups: whether the caller can group anew.
    """
    names = [str(group) for group in groups]
    whole = _in_several([{item_mark(item)} for item in items], names)
    alone = _in_several([response_marks(item) for item in items], names) - whole
    found = []
    if whole:
        how = Advice(", or name a field that they share with --group", ", or give them one group")
        found.append(
            f"{counted(len(whole), what)} {'is' if len(whole) == 1 else 'are'} of texts that stand in another group as "
            f"well, {_NOT_APART}, and what is fitted knows the answers: leave the copies out{how if regroups else ''}"
        )
    if alone and len(alone) >= _SHARE * len(items):
        how = Advice(", or give --group response", ', or group them with regroup(items, "response")')
        found.append(
            f"{counted(len(alone), what)} {'has' if len(alone) == 1 else 'have'} a long response that stands in another "
            f"group as well, {_NOT_APART}, and what is fitted knows how such a response was scored: leave the copies "
            f"out{how if regroups else ''}"
        )
    return found


def told_of_fit(items: Sequence[Item], groups: Iterable[str]) -> list[str]:
    """Warnings of what stands in several groups of judgments to which weights are fitted; items, groups: of each (n,)."""
    own = list(groups)
    said, named = copies_apart(items, own), names_in_several(items, own)
    if named is not None:
        field, warning = named
        how = Advice(f"lager-lite eval --hold-out {field}", f"evaluate with hold_out={field!r}")
        said.append(f"{warning}: {how} shows what they are worth for other systems")
    return said


def tells_of_copies(warning: str) -> bool:
    """Whether a warning is one of `copies_apart`."""
    return _NOT_APART in warning


def _in_several(marks: Sequence[set[str]], groups: Sequence[str]) -> set[int]:
    """The rows of which a mark stands in several groups, counted from 0."""
    places: dict[str, set[str]] = {}
    for own, group in zip(marks, groups):
        for one in own:
            places.setdefault(one, set()).add(group)
    return {row for row, own in enumerate(marks) if any(len(places[one]) > 1 for one in own)}
