"""What may be human scores under a key that does not say so, how --map names it, and which numbers are no scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ...errors import give_mapped, mapped
from ...prompts import list_rubrics
from ..keys import ANNOTATORS, spelled, word_set, words_of_key

_PEOPLE = word_set(
    "annotator annotators rater raters worker assessor evaluator labeler labeller coder expert reviewer judge human me "
    "other user"
)
_MARKS = word_set(
    "score scores rating ratings rated rate grade grades mark marks label labels verdict annotation value"
)
_TOGETHER = word_set("mean avg average median overall total sum")
_NO_SCORE = word_set(
    "id ids name names ratio count counts number num date time type seed turn index idx version temperature step epoch "
    "year age length tokens words chars position comment reason explanation text model suggestion metadata rater raters "
    "annotator annotators"
)
_COUNTED = word_set("num number n count total suggestion pred predicted prediction conversation")
_VERSIONS = word_set("chosen rejected gpt chatgpt claude llama gemini mistral mixtral qwen deepseek gemma baseline")
_CODES = frozenset((-1, -8, -9, -88, -98, -99, -888, -998, -999, -9999, 88, 98, 99, 888, 998, 999, 9999))


def advice_on(columns: Mapping[str, bool]) -> str | None:
    """What to say of the keys that may hold human scores where none was found; None where no key may.

    columns: a key -> whether everything under it is a number.
    """
    named = {key: is_number for key, is_number in columns.items() if may_be_score(key)}
    named = {key: is_number for key, is_number in named.items() if is_number or words_of_key(key)[0] not in _PEOPLE}
    if any(named.values()):
        named = {key: True for key, is_number in named.items() if is_number}
    kinds = {key: _criterion(key) for key in named}
    single = {kind for kind in kinds.values() if _TOGETHER.isdisjoint(kind)}
    kinds = {key: kind for key, kind in kinds.items() if kind in single or _without_mean(kind) not in single}
    if not kinds:
        return None
    versions = {key: kind for key, kind in kinds.items() if _is_version(kind)}
    of_versions = len(set(versions.values())) > 1 and not any(kinds[key] for key in kinds.keys() - versions.keys())
    kinds = versions if of_versions else kinds
    keys, different = list(kinds), len(set(kinds.values())) > 1
    if of_versions:
        ways = " or ".join(str(mapped({"score": key})) for key in keys)
        return (
            f"no human score was found; {_together(keys)} seem to be scores of different responses: if people gave them, "
            f"name the one of the response that is judged, {ways}"
        )
    maps: list[tuple[str, str]] = []
    for key, kind in kinds.items():
        known = key if key in list_rubrics() else "_".join(kind)
        maps.append((f"score:{known}" if known and (different or known in list_rubrics()) else "score", key))
    return f"no human score was found; if people gave what stands under {_together(keys)}, {give_mapped(maps)}"


def may_be_score(key: str) -> bool:
    """Whether a key's words leave it open that scores stand there: no id, no name, no count, nobody who scored."""
    words = words_of_key(key)
    if not words or spelled(key) in ANNOTATORS or words[0] in _COUNTED:
        return False
    return words[-1] not in _NO_SCORE and "suggestion" not in words


def codes_for_missing(scores: Collection[float], low: float, high: float) -> tuple[float, ...]:
    """Those of the scores that look like codes for a missing value, such as -99 or 999.

    They are all that lies outside the scale from `low` to `high`, and some others lie inside; else empty.
    """
    outside = {score for score in scores if not low <= score <= high}
    return tuple(sorted(outside)) if outside <= _CODES and len(outside) < len(set(scores)) else ()


def codes_in_words(codes: Sequence[float], low: float, high: float) -> str:
    """What to say of such codes."""
    shown = " and ".join(f"{code:g}" for code in codes)
    look = "looks like a code for a missing score" if len(codes) == 1 else "look like codes for a missing score"
    return f"{shown} {look}, since the others lie on the scale from {low:g} to {high:g}: leave those cells empty"


def _criterion(key: str) -> tuple[str, ...]:
    """The words of a key without those that say who scored, and that it is a score: ("fluency",) of rater1_fluency."""
    left: list[str] = []
    before = ""
    for word in words_of_key(key):
        number = word.isdigit() and before in _PEOPLE | _MARKS or len(word) == 1 and before in _PEOPLE
        if not (number or word in _PEOPLE or word in _MARKS):
            left.append(word)
        before = word
    return tuple(left)


def _without_mean(kind: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in kind if word not in _TOGETHER)


def _is_version(kind: tuple[str, ...]) -> bool:
    return bool(kind) and all(word in _VERSIONS or word.isdigit() or len(word) == 1 for word in kind)


def _together(keys: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(keys[:-1]), keys[-1])))
