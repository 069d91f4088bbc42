"""What is odd about the items of a file: repeated texts, scores that never differ, fields that look like another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from ...errors import Advice, give_mapped, mapped
from ...prompts import Rubric, scale_for, signs
from ...records import Item
from ..keys import (
    LEFT_MARKS,
    THOUGHTS,
    Understood,
    answer_of,
    counted,
    reads_as_number,
    response_of_score,
    same_judged,
    same_text,
)
from .advice import advice_on, codes_for_missing, codes_in_words
from .judged import CLEAR

_TEXTS = ("source", "instruction", "reference", "response")
_GRADE_KEY = re.compile(r"scor|rat(?:ing|er)|grade|label|verdict|annotat|quality", re.I)
_LONG = 24_000
_LONG_FIELD = 200
_FEW_GROUPS = 20
_FEW_ITEMS = 10
_FEW_VALUES = 11
_SHORT = 12


class _Values:
    """The different texts of one field, while they are few and short, and how long all of them are."""

    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self.count = self.characters = 0
        self.short = self.numbers = True

    def see(self, text: str) -> None:
        """Take in one text."""
        self.count, self.characters = self.count + 1, self.characters + len(text)
        self.short = self.short and len(text) <= _SHORT
        self.numbers = self.numbers and reads_as_number(text)
        if self.short and len(self.values) <= _FEW_VALUES:
            self.values[text.strip()] += 1

    @property
    def few(self) -> bool:
        """Whether a few short values return again and again, as labels do."""
        return self.short and len(self.values) <= _FEW_VALUES and self.count >= max(3, 2 * len(self.values))


class OddityWatch:
    """Looks at items one by one; of each text only a hash and a beginning is kept."""

    def __init__(self) -> None:
        self._fields: dict[str, _Values] = {}
        self._seen: dict[int, str] = {}
        self._responses: Counter[int] = Counter()
        self._begins: dict[int, str] = {}
        self._repeats: list[tuple[str, str]] = []
        self._same: Counter[tuple[str, str]] = Counter()
        self._scores: dict[str, Counter[float]] = {}
        self._thoughts, self._signs = list[str](), list[str]()
        self._kept_thoughts = False
        self._left: dict[str, None] = {}
        self._longest = (0, "")
        self._items = 0

    def see(self, item: Item) -> None:
        """Look at one item."""
        self._items += 1
        self._left.update(dict.fromkeys(item.keys.get(LEFT_MARKS, ())))
        for name, text in item.fields.items():
            self._fields.setdefault(name, _Values()).see(text)
        for name, scores in item.human.items():
            self._scores.setdefault(name, Counter()).update(scores)
        texts = {name: " ".join(item.fields.get(name, "").split()) for name in _TEXTS}
        for one, other in combinations(_TEXTS, 2):
            self._same[one, other] += bool(texts[one]) and texts[one] == texts[other]
        if texts["response"]:
            self._see_response(item, texts["response"])
        length = sum(map(len, item.fields.values())) if item.rendered is None else len(item.rendered)
        self._longest = max(self._longest, (length, item.id), key=lambda pair: pair[0])

    def _see_response(self, item: Item, response: str) -> None:
        whole, alone = hash(same_judged(item.fields)), hash(same_text(response))
        if whole in self._seen:
            self._repeats.append((item.id, self._seen[whole]))
        self._seen.setdefault(whole, item.id)
        self._responses[alone] += 1
        self._begins.setdefault(alone, response[:40])
        if THOUGHTS in item.flags or answer_of(item.fields["response"]) != item.fields["response"]:
            self._thoughts.append(item.id)
            self._kept_thoughts = THOUGHTS not in item.flags
        if signs(item):
            self._signs.append(item.id)

    def found(self, understood: Understood, rubrics: Sequence[Rubric] = ()) -> tuple[str, ...]:
        """What is odd, in whole sentences; understood: what was understood of the same items."""
        return (
            *understood.warnings,
            *self._about_responses(understood),
            *self._about_fields(understood),
            *self._about_scores(understood, rubrics),
            *self._about_lengths(),
        )

    def _about_responses(self, understood: Understood) -> Iterator[str]:
        if understood.blank:
            yield f'{counted(understood.blank, "response")} without a visible character: shown as "(empty response)"'
        if self._repeats:
            one, other = self._repeats[0]
            first = f"item {one}, like item {other}" if one != other else f"item {one}, which is there twice"
            yield f"{counted(len(self._repeats), 'item')} with the same texts as an earlier one: first {first}"
        shared = [(count, key) for key, count in self._responses.items() if count > 1]
        again = sum(count for count, _ in shared)
        if again > len(self._repeats) * 2:
            often, key = max(shared)
            yield f"{again} of {self._items} responses occur more than once, most often ({often}) {self._begins[key]!r}"
        if self._thoughts:
            keeps = Advice("--keep-thoughts keeps them", "keep_thoughts=True keeps them")
            how = "kept as asked" if self._kept_thoughts else f"left out of what is judged ({keeps})"
            yield f"{counted(len(self._thoughts), 'response')} with thoughts, first in item {self._thoughts[0]}: {how}"
        if self._signs:
            yield (
                f"{counted(len(self._signs), 'response')} with words to the judge, first in item {self._signs[0]}: "
                f"see {Advice('--flag-injection of `score`', 'JudgmentRows(injection=True)')}"
            )
        response = self._fields.get("response")
        if response and response.numbers and response.count > 2:
            yield "every response is a number: is it a score?"
        elif response and response.few:
            yield f"the responses are {_some(response)} again and again: are they labels?"

    def _about_fields(self, understood: Understood) -> Iterator[str]:
        for name in ("source", "instruction", "reference"):
            count = sum(understood.taken.get(name, {}).values())
            if 0 < count < understood.items:
                yield f"{counted(understood.items - count, 'item')} without {name}, which the others have"
        for (one, other), count in self._same.items():
            if count:
                yield f"in {counted(count, 'item')} {one} and {other} are the same text"
        for key in understood.kept:
            values = self._fields.get(key)
            if values and values.characters > _LONG_FIELD * values.count:
                free = [name for name in ("source", "reference") if name not in understood.taken]
                hint = f"; for instance {mapped({free[0]: key})} would show it" if free else ""
                yield f"{key} holds long texts, and only a rubric that names it shows them{hint}"

    def _about_scores(self, understood: Understood, rubrics: Sequence[Rubric]) -> Iterator[str]:
        for name, values in self._scores.items():
            which, total = f"score {name}".strip(), values.total()
            best, often = values.most_common(1)[0]
            if len(values) == 1 and total > 1:
                yield f"every {which} is {best:g}: nothing can be fitted or evaluated on it"
            elif often >= 0.9 * total and total >= 10:
                yield f"{often} of {total} values of {which} are {best:g}"
        if self._scores and understood.groups < _FEW_GROUPS and self._items >= _FEW_ITEMS:
            yield f"{counted(understood.groups, 'group')} only: `fit` and `eval` split by group, and need some 20 or more"
        for rubric in rubrics:
            alike = (values for name, values in self._scores.items() if name.casefold() == rubric.name.casefold())
            found = next(alike, None) or self._scores.get("") or ()
            low, high = min(rubric.scale.values), max(rubric.scale.values)
            if found and (codes := codes_for_missing(found, low, high)):
                yield codes_in_words(codes, low, high)
            elif found and (min(found) < low or max(found) > high):
                fits = scale_for(min(found), max(found), whole=all(float(one).is_integer() for one in found))
                yield (
                    f"scores go from {min(found):g} to {max(found):g}, and the scale of the rubric {rubric.name} from "
                    f"{low:g} to {high:g}: {Advice(f'give --scale {fits}', f'give the rubric the scale {fits}')}"
                )
        graded = [key for key in understood.kept if self._is_grade(key) and key not in CLEAR]
        columns = (*understood.kept, *understood.taken.get("response", ()))
        owners = {key: owner for key in graded if (owner := response_of_score(key, columns))}
        if owners and not self._scores:
            yield _of_one_response(owners, understood)
            graded = [key for key in graded if key not in owners]
        advice = advice_on({**{key: self._fields[key].numbers for key in graded}, **dict.fromkeys(self._left, True)})
        if advice and not self._scores:
            yield advice

    def _is_grade(self, key: str) -> bool:
        """Whether a key that no field was taken from looks like human scores, by its values or by its name."""
        values = self._fields.get(key)
        named = bool(_GRADE_KEY.search(key))
        return values is not None and values.short and (values.few and values.numbers or named)

    def _about_lengths(self) -> Iterator[str]:
        length, name = self._longest
        if length > _LONG:
            yield (
                f"item {name} has {length:,} characters, about {length // 4:,} tokens: a prompt that is longer than the "
                f"model's context is an error, unless {Advice('`score --overflow`', '`overflow`')} says otherwise"
            )


def _of_one_response(owners: Mapping[str, str], understood: Understood) -> str:
    """What to say of scores that belong to one response each; owners: the key of a score -> that of its response."""
    judged = understood.taken.get("response", ())
    score = next((key for key, owner in owners.items() if owner in judged), next(iter(owners)))
    way = give_mapped({"response": owners[score], "score": score})
    return (
        f"no human score was found; if {' and '.join(owners)} hold one, each is of one response: {way}, and so for the "
        "others"
    )


def _some(values: _Values) -> str:
    return ", ".join(repr(value) for value, _ in values.values.most_common(4))
