"""Columns that stand for one model each, by their names: `response_gpt4` beside `response_llama`, and their scores."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from .names import suggests_response, word_set, words_of_key

_NOUNS = word_set(
    "response responses reply replies answer answers output outputs summary summaries completion completions "
    "generation generations prediction predictions pred translation candidate text model system assistant bot llm"
)
_GRADES = word_set("score scores rating ratings grade grades mark marks human")


@lru_cache(maxsize=10_000)
def ending_of(key: str) -> tuple[str, ...]:
    """What tells a key from its sisters: ("gpt", "4") of `response_gpt4`, `gpt4_answer` and `score_gpt4`."""
    return tuple(word for word in words_of_key(key) if word not in _NOUNS and word not in _GRADES)


def are_sisters(one: str, other: str) -> bool:
    """Whether two keys hold a response each of one kind, as `answer_gpt4` and `answer_llama` do."""
    nouns = [tuple(word for word in words_of_key(key) if word in _NOUNS) for key in (one, other)]
    endings = ending_of(one), ending_of(other)
    suggested = suggests_response(one) and suggests_response(other)
    return suggested and nouns[0] == nouns[1] != () and endings[0] != endings[1] and all(endings)


def response_of_score(key: str, keys: Collection[str]) -> str | None:
    """The key of the response that a score is of by its ending, as `score_gpt4` is of `response_gpt4`.

    None where the score has no ending, or where no other response with an ending stands among the keys.
    """
    ending = ending_of(key)
    if not ending or suggests_response(key):
        return None
    ended = [other for other in keys if ending_of(other) and _may_be_response(other)]
    mine = next((other for other in ended if ending_of(other) == ending), None)
    return mine if mine is not None and any(ending_of(other) != ending for other in ended) else None


def _may_be_response(key: str) -> bool:
    words = words_of_key(key)
    bare = [word for word in words if len(word) > 1 and not word.isdigit()]
    return suggests_response(key) or bare in (["model"], ["system"], ["assistant"], ["bot"])


def scores_beside(scores: Sequence[str], response: str | None, keys: Collection[str]) -> tuple[str, ...]:
    """The keys of scores without those that are of another response than the one under the key `response`."""
    owners = {score: response_of_score(score, keys) for score in scores}
    return tuple(score for score, owner in owners.items() if owner in (None, response))
