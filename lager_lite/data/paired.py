"""Pairs of responses to one task, from rows that hold both: public layouts of preferences, and rows like them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Advice, DataError
from ..records import Item
from .checks import check_sheet
from .files import TableFile
from .keys import (
    ALIASES,
    PREFERENCE_KEYS,
    Row,
    RowSource,
    Sides,
    Turn,
    find_sides,
    is_blank,
    is_conversation,
    lone_side,
    own_item,
    preference_key,
    preference_of,
    spelled,
    text_of,
    three_flags,
    told,
    without_thoughts,
)
from .layouts import (
    Remaining,
    answer_in,
    common_turns,
    ignored_keys,
    lowered,
    turns_in_lists,
    turns_of_side,
    unfold,
    until_answer,
)
from .problems import NEAR_KEYS, raise_problems


@dataclass(frozen=True)
class Pair:
    """Two responses to one task.

    id: the name by which results refer to the pair.
    fields: what both responses answer, by canonical name (instruction, source, reference and others).
    responses: the text of the first and of the second response; None where there is none.
    systems: who wrote them; "" where that is not known.
    preference: the share of people who prefer the first response, ties counted as half; None where nobody said.
    group: the name of what must stay on one side of every split; None: the pair is a group of its own.
    where: its place for messages, see `Item`.
    flags: what is odd about the pair and how it was read, in words.
    error: why it cannot be judged; None where it can.
    """

    id: str
    fields: Mapping[str, str]
    responses: tuple[str | None, str | None]
    systems: tuple[str, str] = ("", "")
    preference: float | None = None
    group: str | None = None
    where: str = ""
    flags: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class PairFile:
    """The pairs of a file, and what was understood of it.

    pairs: in the order of the file.
    message: which keys were taken for what, in one line.
    """

    pairs: tuple[Pair, ...]
    message: str


def pair_of(first: Item, second: Item, identity: str, **more: Any) -> Pair:
    """Two items that answer one task as a pair; more: the other fields of `Pair`.

    What the responses answer is taken from the first item. The pair cannot be judged where a response is missing.
    """
    fields = {name: text for name, text in first.fields.items() if name != "response"}
    responses = (first.fields.get("response"), second.fields.get("response"))
    error = more.pop("error", None) or why_unpaired(responses)
    flags = tuple(dict.fromkeys((*first.flags, *second.flags)))
    more.setdefault("group", first.group)
    return Pair(identity, fields, responses, flags=flags, error=error, **more)


def why_unpaired(
    responses: tuple[str | None, str | None], keys: Sequence[str] = (), others: Collection[str] = ()
) -> str | None:
    """Why a pair with these responses cannot be judged; None where both are there.

    keys: of the two responses. others: the keys beside these, of which one may be misspelt.
    """
    missing = [place for place, text in enumerate(responses) if text is None]
    if not missing:
        return None
    said = f"there is no response {' and no response '.join('AB'[place] for place in missing)}"
    if not keys:
        return said
    said += f": nothing stands under {' and '.join(repr(keys[place]) for place in missing)}"
    near = [one for place in missing for one in difflib.get_close_matches(keys[place], others, 1, NEAR_KEYS)]
    return said + (f", but under {near[0]!r}: is it meant?" if near else "")


def pairs_of_rows(
    rows: RowSource,
    mapping: Mapping[str, str] | None = None,
    *,
    ignore: Sequence[str] = (),
    keep_thoughts: bool = False,
) -> PairFile | None:
    """The pairs of rows that hold two responses each; None where no row holds two.

    rows: from `open_rows`. mapping: field -> key; response_a, response_b, system_a, system_b and preference are fields
    of a pair. ignore: keys that are read as if no row had them. keep_thoughts: whether responses keep the thoughts that
    they were given with. Raises DataError for rows that cannot be used, and for preferences that are none.
    """
    unfolded, mapping = unfold(rows), dict(mapping or {})
    own = {field: key for field, key in mapping.items() if field not in _OF_PAIRS}
    left = Remaining(unfolded, ignored_keys(unfolded, ignore, tuple(mapping.values())))
    mapping = _checked_keys(left, mapping)
    sides = next((found for row in left if (found := find_sides(row_values(row), mapping))), None)
    if sides is None:
        _check_sides(left)
        return None
    if isinstance(unfolded, TableFile):
        responses = [column for column in unfolded.columns if {column, spelled(column)} & {*sides.keys}]
        check_sheet(unfolded, own, ignore, responses=responses)
    reader = PairReader(sides, mapping, keep_thoughts, id_key=_QUESTION if _are_ids(left) else "pair_id")
    pairs, problems = [], []
    for number, row in enumerate(left, 1):
        try:
            pairs.append(reader.read(row, number))
        except DataError as error:
            problems.append(error)
    raise_problems(problems)
    if pairs and all(pair.error for pair in pairs):
        raise DataError(f"no row has both responses: {pairs[0].where}: {pairs[0].error}", _BOTH)
    return PairFile(tuple(pairs), reader.message(left, pairs))


def _are_ids(rows: RowSource) -> bool:
    """Whether every row has a question_id of its own, as in Chatbot Arena; in MT-bench several pairs share one."""
    first = row_values(rows[0]) if len(rows) else {}
    if _QUESTION not in first or "pair_id" in first:
        return False
    found = [row_values(row).get(_QUESTION) for row in rows]
    return not any(map(is_blank, found)) and len(set(map(str, found))) == len(found)


_BOTH = Advice(
    "write both responses into a row, or name their keys with --map response_a=KEY --map response_b=KEY",
    'write both responses into a row, or name their keys with mapping={"response_a": "KEY", "response_b": "KEY"}',
    "give both responses",
)


def _check_sides(rows: RowSource) -> None:
    """Raise DataError where rows have one response of a pair each, and no response by the usual keys."""
    for row in rows:
        values = row_values(row)
        found = lone_side(values)
        if found is not None and values.keys().isdisjoint(ALIASES["response"]):
            there, lacks = found
            raise DataError(
                f"{row.where}: {there!r} is one response of a pair, and no row has the other one, {lacks!r}", _BOTH
            )


def row_values(row: Row) -> dict[str, Any]:
    """The values of a row by keys in small letters; None where a key has no value."""
    low = lowered(row)
    return {**dict.fromkeys(sorted(low.blank)), **low.values}


def _checked_keys(rows: RowSource, mapping: Mapping[str, str]) -> dict[str, str]:
    """The mapping with keys as `lowered` writes them. Raises DataError for keys that no row has."""
    if not mapping:
        return {}
    present = {key for row in rows for key in (*row.values, *row.blank)}
    absent = [f"{field}={key}" for field, key in mapping.items() if key not in present]
    if absent:
        shown = ", ".join(sorted(present)[:20])
        raise DataError(f"{rows.name}: no row has the key of {', '.join(absent)}", f"the keys are: {shown}")
    # As `lowered` writes them, which leaves a key as it is where another one has its usual spelling.
    usual = {key: spelled(key) for key in mapping.values()}
    return {field: key if usual[key] != key and usual[key] in present else usual[key] for field, key in mapping.items()}


@dataclass(frozen=True)
class PairReader:
    """Reads rows that hold their two responses under the same keys.

    sides: these keys. mapping: field -> key. keep_thoughts: see `pairs_of_rows`. id_key: of the id, where there is no
        key id.
    """

    sides: Sides
    mapping: Mapping[str, str]
    keep_thoughts: bool
    id_key: str = "pair_id"

    def read(self, row: Row, number: int) -> Pair:
        """The pair of one row; its number, from 1, is the id where it has none. Raises DataError."""
        low = lowered(row)
        values = dict(low.values)
        systems = self._systems(values, row.where)
        preference = self._preference(values, systems, row.where)
        texts, before = self._texts(values, row.where)
        shared = {key: value for key, value in values.items() if key not in self._own(values)}
        if len(before) > 1 or before and not self._asks(shared):
            for key in _ASKING:
                shared.pop(key, None)
            shared["instruction"] = told(before)
        elif not self._asks(shared) and (is_conversation(shared.get("context")) or "history" in shared):
            # As in HelpSteer 3 and in the Stanford Human Preferences.
            shared["instruction"] = shared.pop("context", None) or shared.pop("history")
        if self.id_key in shared and "id" not in shared and "id" not in self.mapping:
            shared["id"] = shared.pop(self.id_key)
        named = {field: key for field, key in self.mapping.items() if field not in _OF_PAIRS}
        items = []
        for text in texts:
            own = {} if text is None else {named.get("response", "response"): text}
            item = own_item(replace(low, values={**shared, **own}, blank=frozenset()), number, named)
            items.append(item if self.keep_thoughts else without_thoughts(item))
        first, second = items
        both = first.fields.get("response"), second.fields.get("response")
        told_of = {"systems": systems, "preference": preference, "where": row.where}
        return pair_of(first, second, first.id, error=why_unpaired(both, self.sides.keys, shared), **told_of)

    def message(self, rows: RowSource, pairs: Sequence[Pair]) -> str:
        """What was understood of the file, in one line."""
        values = row_values(rows[0]) if len(rows) else {}
        told_of = [f"response A from {self.sides.first}", f"response B from {self.sides.second}"]
        one, two = self._system_keys(values)
        told_of += [f"systems from {one} and {two}"] if one else []
        key = preference_key(values, self.sides, self.mapping)
        known = [pair.preference for pair in pairs if pair.preference is not None]
        if known:
            what = key or ("winner_model_a" if "winner_model_a" in values else "their names")
            for_a, for_b = sum(one > 0.5 for one in known), sum(one < 0.5 for one in known)
            ties = f", {len(known) - for_a - for_b} undecided" if for_a + for_b < len(known) else ""
            told_of.append(f"preferences from {what} ({for_a} for A, {for_b} for B{ties})")
        return f"{rows.name}: {len(pairs)} pair{'s' * (len(pairs) != 1)}; {', '.join(told_of)}"

    def _system_keys(self, values: Mapping[str, Any]) -> tuple[str, str]:
        if "system_a" in self.mapping and "system_b" in self.mapping:
            return self.mapping["system_a"], self.mapping["system_b"]
        return self.sides.systems(values)

    def _systems(self, values: Mapping[str, Any], where: str) -> tuple[str, str]:
        one, two = (
            "" if is_blank(values.get(key)) else text_of(values[key], key, where).strip()
            for key in self._system_keys(values)
        )
        return one, two

    def _preference(self, values: Mapping[str, Any], systems: tuple[str, str], where: str) -> float | None:
        flags = three_flags(values)
        key = preference_key(values, self.sides, self.mapping)
        if flags is not None and "preference" not in self.mapping:
            return flags
        if key is not None:
            return preference_of(values.get(key), key, self.sides, systems, where)
        return 1.0 if self.sides.keys == ("chosen", "rejected") else None

    def _own(self, values: Mapping[str, Any]) -> set[str]:
        """The keys that are the pair's, and not those of a single response."""
        own = {*self.sides.keys, *self._system_keys(values), *PREFERENCE_KEYS, "response", "turn"}
        own |= {"winner_model_a", "winner_model_b", "winner_tie"}
        return own | {key for field, key in self.mapping.items() if field in _OF_PAIRS}

    def _asks(self, shared: Mapping[str, Any]) -> bool:
        return any(key and not is_blank(shared.get(key)) for key in (self.mapping.get("instruction"), *_ASKING))

    def _texts(self, values: dict[str, Any], where: str) -> tuple[list[str | None], list[Turn]]:
        """The texts of both responses, and the turns that both begin with where they are conversations."""
        given = [values.get(key) for key in self.sides.keys]
        talks = turns_in_lists(values, self.sides.keys)
        talks = talks or [turns_of_side(value, key, where) for value, key in zip(given, self.sides.keys)]
        if not any(talks):
            pairs = zip(given, self.sides.keys)
            return [None if v is None or v == "" else text_of(v, k, where) for v, k in pairs], []
        cut = [until_answer(talk or [], values.get("turn")) for talk in talks]
        same = common_turns(*cut) if all(cut) else max(map(len, cut)) - 1
        return [answer_in(talk[same:]) for talk in cut], max(cut, key=len)[:same]


_QUESTION = "question_id"
_ASKING = ("instruction", "prompt", "question", "input", "query")
_OF_PAIRS = ("response_a", "response_b", "system_a", "system_b", "preference")
