"""Scores that seem to be another model's, beside signs of a judge that is one, and instructions that are its prompt."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ...errors import Advice
from ...records import Item
from ..keys import Row, is_blank, spelled, word_set, words_of_key

_OPEN = ("score", "rating", "scores")
_WHO = word_set("judge judges evaluator grader rater annotator scorer assessor labeler labeller")
_MODEL = re.compile(
    r"(?:^|[^a-z])(?:chat)?(?:gpt|claude|llama|gemini|gemma|mistral|mixtral|qwen|deepseek|prometheus|llm|palm|grok|phi)"
    r"(?:[^a-z]|$)|^o[134](?:-|$)",
    re.I,
)
_PERSON = re.compile(r"human|expert|author|annotator|crowd|worker|rater|people|person|student|teacher", re.I)
_SAID = word_set("judgment judgement explanation reason reasoning rationale prompt output response feedback")
_GRADING = re.compile(
    r"\b(?:impartial judge|(?:expert|fair|strict|helpful) evaluator|evaluate the|act as an? \w+ judge)\b", re.I
)


class MachineWatch:
    """Counts the items whose score seems to be a model's, and the instructions that are the prompt of a judge.

    mapped: the fields of --map; what is mapped is meant.
    """

    def __init__(self, mapped: Collection[str] = ()) -> None:
        self._mapped = frozenset(mapped)
        self._scored = self._asked = 0
        self._sign = self._key = self._prompt = ""

    def see(self, row: Row, items: Sequence[Item]) -> None:
        """Look at one row and its items."""
        for item in items:
            keys = [key for key in item.keys.get("score", item.keys.get("scores", ())) if spelled(key) in _OPEN]
            sign = sign_of_model(row.values) if item.human and keys and "score" not in self._mapped else ""
            if sign:
                self._scored += 1
                self._sign, self._key = self._sign or sign, self._key or keys[0]
            asked, said = item.fields.get("instruction", ""), item.fields.get("response", "").strip()
            if said and said in asked and _GRADING.search(asked) and "instruction" not in self._mapped:
                self._asked += 1
                self._prompt = self._prompt or item.keys.get("instruction", ("instruction",))[-1]

    def warnings(self) -> Iterator[str]:
        """What is probably a model's, in whole sentences."""
        if self._scored:
            it = "it" if self._scored == 1 else "them"
            out = Advice(
                f"--ignore {self._key} leaves {it} out",
                f"ignore=[{self._key!r}] leaves {it} out",
                f"leave out {self._key!r}",
            )
            have = (
                "1 item has a human score that seems"
                if self._scored == 1
                else f"{self._scored} items have human scores that seem"
            )
            yield (f"{have} to be a model's, not people's, since {self._sign} stands beside {self._key}; {out}")
        if self._asked:
            is_one = "1 instruction is" if self._asked == 1 else f"{self._asked} instructions are"
            way = Advice(
                f"give --map instruction=KEY with the key of the request, or --ignore {self._prompt}",
                f'give mapping={{"instruction": "KEY"}} with the key of the request, or ignore=[{self._prompt!r}]',
                "give the request as instruction",
            )
            yield f"{is_one} the prompt of another judge and holds the response; {way}"


def sign_of_model(values: Mapping[str, Any]) -> str:
    """What says that the score of a row is a model's: the key of it, with its value where that names the model, else ""."""
    doubtful = ""
    for key, value in values.items():
        words = words_of_key(key)
        if is_blank(value) or not words:
            continue
        text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        who = words[0] in _WHO and not {*words[1:]} - {"model", "name", "id", "llm"}
        if who and _PERSON.search(text):
            return ""
        if who and (_MODEL.search(text) or "model" in words or "llm" in words):
            return f"{key} {text!r}" if len(text) < 40 else key
        by_judge = words[0] in ("judge", "evaluator") and not _SAID.isdisjoint(words[1:])
        spoken = words in (("judgment",), ("judgement",)) and " " in text.strip()
        parsed = words == ("parsed", "result")
        if by_judge or spoken or parsed or words == ("judge",):
            doubtful = doubtful or key
    return doubtful
