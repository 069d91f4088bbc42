"""Columns that stand for one model each, by their names: `response_gpt4` beside `response_llama`."""

from __future__ import annotations

from functools import lru_cache

from .names import suggests_response, word_set, words_of_key

_NOUNS = word_set(
    "response responses reply replies answer answers output outputs summary summaries completion completions "
    "generation generations prediction predictions pred translation candidate text model system assistant bot llm"
)
_GRADES = word_set("score scores rating ratings grade grades mark marks human annotator rater")


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
