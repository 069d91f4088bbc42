"""Signs that texts are not those that were judged, though their ids are the same."""

from __future__ import annotations

import itertools
from collections import Counter
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
    needing = {name for name, rubric in rubrics.items() if rubric is None or "response" in rubric.required}
    silent = [one for one in given if _judged_text(items[one]) is None]
    bare = [one for one in silent if given[one].score is not None and given[one].rubric in needing]
    # A rubric of which only the name is known may judge another text.
    if bare and (len(silent) < len(given) or rubrics[given[bare[0]].rubric] is not None):
        found.append(f"{_of(bare, 'judged item')} no response in the items")
    lacked = [one for one, judgment in given.items() if _lacked(judgment) and _judged_text(items[one]) is not None]
    if lacked:
        found.append(f"{_of(lacked, 'item')} a response that was missing when it was judged")
    for name, rubric in rubrics.items():
        # Feedback has tokens of its own.
        read = [one for one in judgments if one.rubric == name and one.tokens and not one.feedback and one.id in items]
        turned, pairs = _turned([(_lengths(items[one.id], rubric), one.tokens or 0) for one in read[:_COMPARED]])
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


def _lengths(item: Item, rubric: Rubric | None) -> Counter[str]:
    """How many bytes each text has that the prompt of an item shows; all texts where its rubric is not known."""
    if item.rendered is not None:
        return Counter({"rendered": len(item.rendered.encode("utf-8", "surrogatepass"))})
    names = [section.field for section in rubric.sections] if rubric is not None else list(item.fields)
    return Counter({name: len(item.fields.get(name, "").encode("utf-8", "surrogatepass")) for name in names})


def _turned(sizes: Sequence[tuple[Counter[str], int]]) -> tuple[int, int]:
    """How many pairs are in the wrong order, and of how many in which one item is much longer and in no text shorter.

    sizes: the bytes of the texts of an item, and the tokens of its prompt.
    """
    turned = pairs = 0
    for one, other in itertools.combinations(sizes, 2):
        (short, few), (long, many) = sorted((one, other), key=lambda size: size[0].total())
        if short <= long and long.total() - short.total() >= _LEAST_APART and long.total() >= 1.5 * short.total():
            pairs += 1
            turned += many < few
    return turned, pairs
