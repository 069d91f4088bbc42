"""Signs that texts are not those that were judged, though their ids are the same."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from ..data import counted
from ..prompts import Rubric
from ..records import Item, Judgment

_COMPARED = 200
_LEAST_PAIRS = 3
_LEAST_APART = 200
_MOST_TURNED = 0.25


def misfits(
    judgments: Sequence[Judgment],
    items: Mapping[str, Item],
    rubrics: Mapping[str, Rubric | None],
    kept: Mapping[str, Item],
) -> list[str]:
    """Say, a sentence for each sign, what speaks against these texts being the ones that were judged.

    - `items`: by id, the items that were given.
    - `rubrics`: by its name the rubric of a judgment; None where only the name is known.
    - `kept`: by id, the texts that stand beside the judgments.

    The signs: another text stands beside the judgment, a text that was judged is missing or one that was missing is
    there, and prompts with more text that had fewer tokens. The last compares at most 200 judgments of a rubric.
    """
    found = []
    other = [one for one, item in kept.items() if one in items and _judged_text(item) != _judged_text(items[one])]
    if other:
        found.append(f"{_of(other, 'item')} another response in the items than beside the judgment")
    given = {one.id: one for one in judgments if one.id in items}
    bare = [one for one, judgment in given.items() if judgment.score is not None and _judged_text(items[one]) is None]
    if bare:
        found.append(f"{_of(bare, 'judged item')} no response in the items")
    lacked = [one for one, judgment in given.items() if _lacked(judgment) and _judged_text(items[one]) is not None]
    if lacked:
        found.append(f"{_of(lacked, 'item')} a response that was missing when it was judged")
    for name, rubric in rubrics.items():
        own = [one for one in judgments if one.rubric == name and one.tokens and one.id in items][:_COMPARED]
        turned, pairs = _turned([(len(_shown(items[one.id], rubric)), one.tokens or 0) for one in own])
        if pairs >= _LEAST_PAIRS and turned > _MOST_TURNED * pairs:
            found.append(
                f"in {turned} of {counted(pairs, 'pair')} of items the longer text had fewer tokens under {name}"
            )
    return [f"the items may not be those that were judged: {one}" for one in found]


def _of(names: Sequence[str], noun: str) -> str:
    which = f"({names[0]!r}) has" if len(names) == 1 else f"(the first is {names[0]!r}) have"
    return f"{counted(len(names), noun)} {which}"


def _lacked(judgment: Judgment) -> bool:
    return judgment.score is None and "no response" in (judgment.error or "").partition(";")[0]


def _judged_text(item: Item) -> str | None:
    return item.rendered if item.rendered is not None else item.fields.get("response")


def _shown(item: Item, rubric: Rubric | None) -> str:
    """The texts that the prompt of an item shows, as far as its rubric is known."""
    if item.rendered is not None:
        return item.rendered
    names = ["instruction", "source", "response"]
    if rubric is not None and rubric.sections:
        names = [section.field for section in rubric.sections]
    return "".join(item.fields.get(name, "") for name in names)


def _turned(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """How many pairs (characters, tokens) are in the wrong order, and of how many whose texts differ much in length."""
    turned = pairs = 0
    for one, other in itertools.combinations(sizes, 2):
        short, long = sorted((one, other))
        if long[0] - short[0] >= _LEAST_APART and long[0] >= 1.5 * short[0]:
            pairs += 1
            turned += long[1] < short[1]
    return turned, pairs
