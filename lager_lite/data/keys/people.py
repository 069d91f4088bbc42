"""Columns of people's scores, which come before a score that does not say whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ...errors import Advice, DataError, give_mapped, ignoring
from .names import ANNOTATED, HUMAN_KEYS, spelled, word_set, words_of_key
from .values import ScoreError, is_blank, scores_of

_PEOPLE = word_set(
    "human humans annotator annotators rater raters worker workers assessor evaluator labeler labeller coder expert "
    "experts reviewer crowd crowdworker turker participant ann gold golden true truth ground"
)
_MARKS = word_set("score scores rating ratings grade grades mark marks label judgment judgement")
_RIGHT = word_set("gold golden true truth ground")
_ENTRIES = ("annotations", "human_annotations", "ratings")
_WHO = word_set("annotator rater worker user evaluator coder annotator_id rater_id worker_id user_id")
_WITHDRAWN = ("discarded", "draft")
_ANSWER = word_set("value values score rating user_id annotator")
_TOGETHER = word_set("mean avg average median overall")
_ABOUT = word_set(
    "id ids name names age gender email count number n time times seconds date comment comments note notes reason "
    "explanation written answer answers response responses summary summaries text reference agreement"
)


DECIDED = {"accept": 1.0, "reject": 0.0, "ignore": None}
"""What a person decided of a task of Prodigy, with the score that it is."""
HASHES = ("_input_hash", "_task_hash")
"""The keys that Prodigy writes."""


def is_decided(values: Mapping[str, Any]) -> bool:
    """Whether a row is a task of Prodigy that a person decided."""
    return str(values.get("answer")) in DECIDED and any(key in values for key in HASHES)


@lru_cache(maxsize=10_000)
def by_people(key: str) -> bool:
    """Whether a key holds people's scores, by its words: `human_rating`, `annotator_2`, `rater_b_score`, `rating_1`."""
    words = words_of_key(key)
    numbers = [word for word in words if word.isdigit() or len(word) == 1]
    kinds = {word for word in words if word not in numbers}
    if words in (("human",), ("humans",)):
        return True
    if len(words) == 2 and numbers == [words[1]] and words[0] in _PEOPLE - {"human", "humans"}:
        return True
    if kinds in ({"rating"}, {"grade"}):
        return len(words) == 2 and words[1].isdigit()
    return not (kinds.isdisjoint(_PEOPLE) or kinds.isdisjoint(_MARKS)) and kinds <= _PEOPLE | _MARKS | _TOGETHER


def people_keys(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of a row that hold people's scores as numbers, as the row writes them, one for each annotator.

    A mean beside the scores that it is of is left out. A key of the usual ones (HUMAN_KEYS) is taken before them.
    """
    if any(spelled(key) in HUMAN_KEYS for key in values):
        return ()
    listed = [key for key in values if key.lower() in _ENTRIES and given(values[key]) is not values[key]]
    found = listed or [key for key, value in values.items() if by_people(key) and _is_score(value)]
    single = [key for key in found if _TOGETHER.isdisjoint(words_of_key(key))]
    return tuple(single or found)


def given(value: Any) -> Any:
    """The marks of a list of objects, each with who gave it and one number; any other value as it is.

    Those that were withdrawn are left out. An object of lists, one for each key of such objects, means the same.
    """
    entries: list[Any] = [*_entries(value)] or [None]
    marks = []
    for entry in entries:
        if is_withdrawn(entry):
            continue
        named = entry if isinstance(entry, Mapping) and not _WHO.isdisjoint(map(str.lower, entry)) else {}
        found = [mark for key, mark in named.items() if key.lower() in (*_MARKS, "value") and _is_score(mark)]
        if len(found) != 1:
            return value
        marks.append(found[0])
    return marks


def is_withdrawn(entry: Any) -> bool:
    """Whether an annotator's answer was discarded or is a draft, by its status."""
    return isinstance(entry, Mapping) and _is_withdrawn(entry.get("status"))


def submitted(values: Mapping[str, Any], key: str) -> Any:
    """The marks under a key with ANNOTATED at its end, without those that were withdrawn by the statuses beside them."""
    marks, statuses = values[key], values.get(f"{key}.status")
    if not isinstance(marks, list) or not isinstance(statuses, list) or len(marks) != len(statuses):
        return marks
    return [mark for mark, status in zip(marks, statuses) if not _is_withdrawn(status)]


def count_withdrawn(values: Mapping[str, Any]) -> int:
    """How many answers of annotators in a row were withdrawn."""
    count = 0
    for key, value in values.items():
        nested = isinstance(value, Mapping) and key.lower() == "responses"
        for one in value.values() if nested else (value,):
            answers = [entry for entry in _entries(one) if not _ANSWER.isdisjoint(map(str, entry))]
            count += sum(map(is_withdrawn, answers))
        if key.lower().endswith(ANNOTATED) and isinstance(value, list):
            count += len(value) - len(submitted(values, key))
    return count


def _is_withdrawn(status: Any) -> bool:
    return str(status).lower() in _WITHDRAWN


def _entries(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list of objects, or of an object of lists of one length with a list of statuses; else none."""
    lists = list(value.values()) if isinstance(value, Mapping) and "status" in value else []
    if lists and all(isinstance(one, list) and len(one) == len(lists[0]) for one in lists):
        return [dict(zip(value, one)) for one in zip(*lists)]
    entries = value if isinstance(value, list) else []
    return entries if all(isinstance(one, Mapping) for one in entries) else []


def check_whose(values: Mapping[str, Any], key: str, where: str) -> None:
    """Raise ScoreError where a row has people's marks, and the score under `key` does not say whose it is.

    For instance beside `human_fluency`, or beside a `human_label` in words.
    """
    for other, value in values.items():
        words = words_of_key(other)
        if not _RIGHT.isdisjoint(words):
            continue
        meant = by_people(other) and not words[-1].isdigit() or words[:1] in (("human",), ("expert",), ("crowd",))
        if other != key and meant and words[-1] not in _ABOUT and not is_blank(value) and len(words) > 1:
            raise ScoreError(
                f"{where}: {key!r} does not say whose score it is, and {other!r} holds a person's",
                Advice(
                    f"name the key of the human scores with --map score=KEY or --map score:CRITERION=KEY, or --ignore {key}",
                    f'name the key of the human scores with mapping={{"score": "KEY"}}, or ignore=[{key!r}]',
                    f"give the human scores as score, or leave out {key!r}",
                ),
            )


def check_meaning(values: Mapping[str, Any], people: Sequence[str], key: str | None, where: str) -> None:
    """Raise ScoreError where numbered columns may hold something else than the scores of annotators.

    people: the columns. key: that of the row's own score, None where it has none. Beside it, `annotator_1` may hold an
    id, unless the score is the mean of such columns; and `rating_1` to `rating_5` may hold how many people gave 1 to 5.
    """
    together = [one for one in values if not _TOGETHER.isdisjoint(words_of_key(one)) and one not in people]
    beside = [one for one in (key, *together) if one is not None and _is_score(values.get(one)) and values[one] != ""]
    marks = [mark for one in people for mark in scores_of(given(values[one]), one, where)]
    if not marks or any(_is_mean(values[one], marks) for one in beside):
        return
    bare = [one for one in people if _is_numbered(words_of_key(one))]
    if bare and len(bare) == len(people) and key is not None:
        raise ScoreError(
            f"{where}: {' and '.join(people)} may hold the scores of annotators, or their ids beside {key!r}",
            f"{ignoring(key)} reads these as scores, {ignoring(*people)} reads that one",
        )
    count = len(people)
    counts = any(_is_sum(value, marks) for one, value in values.items() if one not in people)
    stars = count > 2 and [words_of_key(one) for one in people] == [("rating", str(n + 1)) for n in range(count)]
    odd = count > 4 and all(mark.is_integer() for mark in marks) and (min(marks) < 1 or max(marks) > count)
    if stars and (beside or counts or odd):
        other = f", or {_give(beside)} for the other one" if beside else ""
        raise ScoreError(
            f"{where}: {people[0]} to {people[-1]} may hold how many people gave each of the ratings 1 to {count}, or the "
            f"scores of {count} annotators",
            f"{_give(people)} for such scores{other}; counts are no scores: leave them out",
        )


def _is_numbered(words: Sequence[str]) -> bool:
    return len(words) == 2 and words[0] in _PEOPLE - _RIGHT and (words[1].isdigit() or len(words[1]) == 1)


def _give(keys: Sequence[str]) -> Advice:
    return give_mapped([("score", key) for key in keys])


def _is_mean(value: Any, marks: Sequence[float]) -> bool:
    found = scores_of(value, "", "")
    return len(found) == 1 and abs(found[0] - sum(marks) / len(marks)) < 0.006


def _is_sum(value: Any, marks: Sequence[float]) -> bool:
    return isinstance(value, (int, float, str)) and _is_score(value) and scores_of(value, "", "") == (sum(marks),)


def _is_score(value: Any) -> bool:
    try:
        return bool(scores_of(value, "", ""))
    except DataError:
        return False
