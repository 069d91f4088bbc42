"""Responses of a pair that are whole conversations: what both begin with, and what each answers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ..keys import ASSISTANT, Turn, is_conversation, told, turns_of

_SPOKEN = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")


def turns_of_side(value: Any, key: str, where: str) -> list[Turn] | None:
    """The turns of a response that is a whole conversation, as a list or as text; None for one that is none."""
    if is_conversation(value):
        return turns_of(value, key, where)
    if isinstance(value, str) and value.lstrip("\n").startswith("Human:") and "\n\nAssistant:" in value:
        pieces = _SPOKEN.split("\n\n" + value.strip())
        return [(role.lower(), text.strip()) for role, text in zip(pieces[1::2], pieces[2::2])]
    return None


def turns_in_lists(values: dict[str, Any], keys: tuple[str, str]) -> list[list[Turn] | None] | None:
    """Conversations whose turns stand in three lists, as JSON text or not: the prompts, and each side's answers.

    The key of the prompts is taken out of the values. None for anything else.
    """
    lists = []
    for key in ("prompt", *keys):
        value = values.get(key)
        if isinstance(value, str) and value.startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                return None
        if not isinstance(value, list) or not value or not all(isinstance(t, (str, type(None))) for t in value):
            return None
        lists.append(value)
    if len(set(map(len, lists))) > 1:
        return None
    del values["prompt"]
    prompts, *answers = lists
    return [
        [turn for asked, said in zip(prompts, side) for turn in (("user", asked), ("assistant", said))]
        for side in answers
    ]


def until_answer(talk: Sequence[Turn], count: Any) -> list[Turn]:
    """A conversation up to the answer of that number, or to its last answer."""
    ends = [place for place, (role, _) in enumerate(talk, 1) if role in ASSISTANT]
    if isinstance(count, int) and 1 <= count <= len(ends):
        return list(talk[: ends[count - 1]])
    return list(talk[: ends[-1]]) if ends else list(talk)


def common_turns(one: Sequence[Turn], two: Sequence[Turn]) -> int:
    """How many turns both conversations begin with; the last answer of either is no part of it."""
    most = min(len(one), len(two)) - 1
    return next((place for place in range(most) if one[place] != two[place]), max(0, most))


def answer_in(turns: Sequence[Turn]) -> str | None:
    """The text of the one turn of the assistant, or else of all turns; None where it is empty."""
    if len(turns) == 1 and turns[0][0] in ASSISTANT:
        return turns[0][1] or None
    return told(turns) or None
