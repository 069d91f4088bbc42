"""The public benchmark layouts: how each is recognised, and what one of its rows means as items.

Every reader keeps single human scores and derives the group that must not be split (same source text,
same prompt, same dialogue).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from ..records import Item
from .rows import HeldRows, Row, RowSource, rows_of
from .values import group_of, is_blank, is_missing, scores_of, text_of


@dataclass(frozen=True)
class BenchmarkLayout:
    """One public layout.

    name: as for `--layout`.
    about: its name in messages.
    matches: whether the rows of a file, by the first of them, are written in it.
    read: the items of one row with its number from 1. Raises DataError, and what a missing key raises.
    scale: the scale of its human scores, None where that varies.
    note: what a user should know about those scores, may be empty.
    fits: what is enough where the user names the layout, None where that is `matches`.
    inside: the rows that a JSON object in this layout holds, None for what `unfold` makes of any object.
    responded: whether its rows hold responses; the others are for rubrics that judge something else.
    """

    name: str
    about: str
    matches: Callable[[RowSource], bool]
    read: Callable[[Row, int], Iterator[Item]]
    scale: str | None = None
    note: str = ""
    fits: Callable[[RowSource], bool] | None = None
    inside: Callable[[RowSource], RowSource] | None = None
    responded: bool = True


HELPSTEER = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
_RESPONSE_TITLE = re.compile(r"summary|response|generated|answer|output|translation|reply", re.I)
_SOURCE_TITLE = re.compile(r"article|source|document|context|dialogue|conversation|original|passage", re.I)
_HEADING = re.compile(r"^#{2,3} *([^\n#][^\n]*)\n", re.M)
_PROMETHEUS = re.compile(
    r"###The instruction to evaluate:\n(?P<instruction>.*?)\n+###Response to evaluate:\n(?P<response>.*?)\n+"
    r"(?:###Reference Answer \(Score 5\):\n(?P<reference>.*?)\n+)?###Score Rubrics:\n(?P<rubric>.*?)\n+###Feedback:",
    re.S,
)
_EQ_BENCH = re.compile(
    r"dialogue:\s*\n(?P<dialogue>.*?)\n?\[End dialogue\]\s*At the end of this dialogue,? (?P<question>[^\n]*)", re.S
)
_PERSON = re.compile(r"(?:.*, )?(?P<person>.+?)(?: would feel|'s? emotional state)")


def _with_keys(*keys: str) -> Callable[[RowSource], bool]:
    return lambda rows: rows.keys.issuperset(keys)


def _identity(row: Row, number: int) -> str:
    found = row.values.get("id")
    return str(number if found is None else found)


def _is_judge_bench(rows: RowSource) -> bool:
    whole = rows.whole
    return isinstance(whole, dict) and isinstance(whole.get("annotations"), list) and "instances" in whole


def judge_bench_scale(rows: RowSource) -> str | None:
    """The scale all graded metrics of a JUDGE-BENCH file share ("1-5"), None where they differ."""
    spans = {(a.get("worst"), a.get("best")) for a in _graded(rows)}
    low, high = spans.pop() if len(spans) == 1 else (None, None)
    return f"{low}-{high}" if isinstance(low, int) and isinstance(high, int) and low < high else None


def _graded(rows: RowSource) -> list[dict[str, Any]]:
    return [a for a in rows.whole["annotations"] if a.get("category", "graded") == "graded"]


def _instances(rows: RowSource) -> RowSource:
    """The instances, each with the annotations of graded metrics only."""
    metrics = {a["metric"] for a in _graded(rows)}
    name = f"{rows.name}: instances"
    found = []
    for row in rows_of(rows.whole["instances"], name):
        marks = {m: a for m, a in row.values.get("annotations", {}).items() if m in metrics}
        found.append(Row({**row.values, "annotations": marks}, row.where))
    return HeldRows(rows.name, tuple(found))


def _judge_bench(row: Row, number: int) -> Iterator[Item]:
    human = {}
    for metric, annotation in row.values["annotations"].items():
        single = annotation.get("individual_human_scores") or annotation.get("mean_human")
        human[metric.lower()] = scores_of(single, metric, row.where)
    fields = _instance_fields(row)
    shared = fields.get("source") or fields.get("response")
    group = group_of(shared) if shared else None
    yield Item(_identity(row, number), fields, {k: v for k, v in human.items() if v}, group, where=row.where)


def _instance_fields(row: Row) -> dict[str, str]:
    """Source and response from the headings of an instance's text; the whole text where there are none."""
    instance = row.values.get("instance")
    if instance is None:
        return {}
    if isinstance(instance, dict):
        instance = "\n\n".join(f"### {k}\n\n{text_of(v, k, row.where)}" for k, v in instance.items())
    text = text_of(instance, "instance", row.where)
    pieces = _HEADING.split(text)
    titled = [(title.strip(), body.strip("\n")) for title, body in zip(pieces[1::2], pieces[2::2])]
    responses = [i for i, (title, _) in enumerate(titled) if _RESPONSE_TITLE.search(title)]
    sources = [i for i, (title, _) in enumerate(titled) if i not in responses and _SOURCE_TITLE.search(title)]
    if pieces[0].strip() or not titled or len(responses) != 1 or len(sources) != 1 or len(titled) != 2:
        return {"response": text}
    return {"source": titled[sources[0]][1], "response": titled[responses[0]][1]}


def _prometheus(row: Row, number: int) -> Iterator[Item]:
    """The rendered grading prompt is kept whole and its parts are read out of it where they are found."""
    text = text_of(row.values["instruction"], "instruction", row.where)
    match = _PROMETHEUS.search(text)
    fields = {k: v for k, v in match.groupdict().items() if v is not None} if match else {}
    key = "human_score" if "human_score" in row.values else "gpt4_score"
    scores = scores_of(row.values.get(key), key, row.where)
    # A second turn quotes the judged model's own first answer; what stands before it is the task.
    group = group_of(fields.get("instruction", text).partition("\nAssistant:")[0])
    identity = _identity(row, number)  # idx names the question, not the row
    yield Item(identity, fields, {"": scores} if scores else {}, group, text, row.where)


def _lager(row: Row, number: int) -> Iterator[Item]:
    text = text_of(row.values["user_prompt"], "user_prompt", row.where)
    match = _PROMETHEUS.search(text)
    fields = {k: v for k, v in match.groupdict().items() if v is not None} if match else {}
    if "user_prompt_feedback" in row.values:
        key = "user_prompt_feedback"
        fields["rendered_feedback"] = text_of(row.values[key], key, row.where)
    scores = scores_of(row.values.get("score"), "score", row.where)
    group = group_of(fields["instruction"]) if "instruction" in fields else None
    identity = _identity(row, number)
    yield Item(identity, fields, {"": scores} if scores else {}, group, text, row.where)


def _helpsteer(row: Row, number: int) -> Iterator[Item]:
    fields = _texts(row, instruction="prompt", response="response")
    human = {key: scores_of(row.values.get(key), key, row.where) for key in HELPSTEER}
    human = {key: scores for key, scores in human.items() if scores}
    identity = _identity(row, number)
    yield Item(identity, fields, human, group_of(fields["instruction"]), where=row.where)


def _pairs(row: Row, number: int) -> Iterator[Item]:
    base = _identity(row, number)
    for key, preferred in (("chosen", 1.0), ("rejected", 0.0)):
        fields = _texts(row, instruction="prompt", response=key)
        group = group_of(fields["instruction"])
        yield Item(f"{base}/{key}", fields, {"preferred": (preferred,)}, group, where=row.where)


def _biggen(row: Row, number: int) -> Iterator[Item]:
    fields = _texts(row, instruction="input", response="response")
    for field, key in (("reference", "reference_answer"), ("system_prompt", "system_prompt")):
        if row.values.get(key):
            fields[field] = text_of(row.values[key], key, row.where)
    fields["rubric"] = _score_rubric(row)
    scores = scores_of(row.values.get("human_score"), "human_score", row.where)
    name = _identity(row, number)
    if row.values.get("model_name"):
        name = f"{name}/{row.values['model_name']}"
    group = group_of(fields["instruction"])
    yield Item(name, fields, {"": scores} if scores else {}, group, where=row.where)


def _score_rubric(row: Row) -> str:
    rubric = row.values["score_rubric"]
    if not isinstance(rubric, dict):
        return text_of(rubric, "score_rubric", row.where)
    lines = [text_of(rubric.get("criteria", ""), "criteria", row.where)]
    for score in range(11):
        key = f"score{score}_description"
        if rubric.get(key):
            lines.append(f"Score {score}: {text_of(rubric[key], key, row.where)}")
    return "\n".join(lines)


def _eq_bench(row: Row, number: int) -> Iterator[Item]:
    """One item per emotion, scored on the full 0-10 scale; dialogues of one story are one group."""
    match = _EQ_BENCH.search(text_of(row.values["prompt"], "prompt", row.where))
    person = _PERSON.match(match["question"]) if match else None
    if not match or not person:
        raise DataError(f"{row.where}: no dialogue and person found in the prompt of EQ-Bench")
    answer = row.values.get("reference_answer_fullscale") or row.values["reference_answer"]
    for n in range(1, 1 + sum(re.fullmatch(r"emotion\d+", key) is not None for key in answer)):
        fields = {"source": match["dialogue"], "person": person["person"]}
        fields["emotion"] = text_of(answer[f"emotion{n}"], f"emotion{n}", row.where)
        scores = scores_of(answer[f"emotion{n}_score"], f"emotion{n}_score", row.where)
        group = _story(match["dialogue"])
        yield Item(f"{row.values['id']}/{n}", fields, {"": scores}, group, where=row.where)


def _emotion(row: Row, number: int) -> Iterator[Item]:
    fields = _texts(row, source="dialogue", person="human", emotion="emotion")
    scores = scores_of(row.values["emotion_score"], "emotion_score", row.where)
    identity = _identity(row, number)
    yield Item(identity, fields, {"": scores}, _story(fields["source"]), where=row.where)


def _story(dialogue: str) -> str | None:
    # Later dialogues of a story repeat the earlier ones and go on, so the opening names the story.
    return group_of(dialogue.strip().partition("\n")[0])


def _is_self_aware(rows: RowSource) -> bool:
    whole = rows.whole
    entries = whole.get("example") if isinstance(whole, dict) else None
    return isinstance(entries, list) and isinstance(next(iter(entries), None), dict) and "answerable" in entries[0]


def _self_aware(row: Row, number: int) -> Iterator[Item]:
    fields = _texts(row, instruction="question")
    human = {"": (5.0 if row.values["answerable"] else 1.0,)}
    group = group_of(fields["instruction"])
    yield Item(str(row.values["question_id"]), fields, human, group, where=row.where)


def _examples(rows: RowSource) -> RowSource:
    return HeldRows(rows.name, tuple(rows_of(rows.whole["example"], f"{rows.name}: example")))


def _is_messages(rows: RowSource) -> bool:
    return any(isinstance(rows[0].values[key], list) for key in rows.keys & {"messages", "conversations"})


def _messages(row: Row, number: int) -> Iterator[Item]:
    """The last turn of the assistant is the response, what was said before it the instruction."""
    turns = row.values.get("messages") or row.values.get("conversations") or []
    said = [(str(t.get("role", t.get("from", ""))), t.get("content", t.get("value", ""))) for t in turns]
    last = max((i for i, (role, _) in enumerate(said) if role in ("assistant", "gpt")), default=0)
    before = [(role, text_of(text, "content", row.where)) for role, text in said[: last or len(said)]]
    names = {"human": "User", "user": "User", "gpt": "Assistant", "assistant": "Assistant"}
    told = "\n\n".join(f"{names.get(role, role.capitalize())}: {text}" for role, text in before)
    instruction = before[0][1] if len(before) == 1 else told
    fields = {"instruction": instruction}
    if last and not is_missing(said[last][1]):
        fields["response"] = text_of(said[last][1], "content", row.where)
    scores = scores_of(row.values.get("score"), "score", row.where)
    human = {"": scores} if scores else {}
    yield Item(_identity(row, number), fields, human, group_of(instruction), where=row.where)


def _alpaca(row: Row, number: int) -> Iterator[Item]:
    fields = _texts(row, instruction="instruction", response="output")
    extra = row.values.get("input")
    if not is_blank(extra):
        fields["instruction"] += "\n\n" + text_of(extra, "input", row.where)
    group = group_of(fields["instruction"])
    yield Item(_identity(row, number), fields, {}, group, where=row.where)


def _texts(row: Row, **keys: str) -> dict[str, str]:
    """Fields read from their keys; a response may be missing. Raises DataError naming every other missing key."""
    if row.values.get(keys.get("response", "")) is None:
        keys.pop("response", None)
    missing = [key for key in keys.values() if row.values.get(key) is None]
    if missing:
        has = ", ".join(row.values)
        raise DataError(f"{row.where}: the key {', '.join(missing)} is missing; the row has {has}")
    return {field: text_of(row.values[key], key, row.where) for field, key in keys.items()}


def _is_prometheus(rows: RowSource) -> bool:
    keys = rows.keys
    if "instruction" not in keys or not keys & {"gpt4_score", "human_score"}:
        return False
    return "response" not in keys or "###Response to evaluate:" in str(rows[0].values["instruction"])


def _is_eq_bench(rows: RowSource) -> bool:
    return bool(len(rows)) and isinstance(rows[0].values.get("reference_answer"), dict)


LAYOUTS: Mapping[str, BenchmarkLayout] = {
    layout.name: layout
    for layout in (
        BenchmarkLayout("judge-bench", "JUDGE-BENCH", _is_judge_bench, _judge_bench, inside=_instances),
        BenchmarkLayout(
            "self-aware",
            "SelfAware",
            _is_self_aware,
            _self_aware,
            "1-5",
            "answerable is 5, unanswerable 1",
            inside=_examples,
            responded=False,
        ),
        BenchmarkLayout(
            "eq-bench", "EQ-Bench v2, one item per emotion", _is_eq_bench, _eq_bench, "0-10", responded=False
        ),
        BenchmarkLayout("biggen", "BiGGen-Bench", _with_keys("input", "response", "score_rubric"), _biggen, "1-5"),
        BenchmarkLayout(
            "emotion",
            "the emotion set of LAGER",
            _with_keys("dialogue", "human", "emotion", "emotion_score"),
            _emotion,
            "1-9",
            responded=False,
        ),
        BenchmarkLayout("lager", "LAGER's JSON lines (rendered prompts)", _with_keys("user_prompt"), _lager, "1-5"),
        BenchmarkLayout("prometheus", "Prometheus/FLASK (rendered prompts)", _is_prometheus, _prometheus, "1-5"),
        BenchmarkLayout(
            "helpsteer",
            "HelpSteer",
            _with_keys("prompt", "response", *HELPSTEER),
            _helpsteer,
            "0-4",
            fits=_with_keys("prompt", "response"),
        ),
        BenchmarkLayout(
            "pairs",
            "pairs of a chosen and a rejected response",
            _with_keys("prompt", "chosen", "rejected"),
            _pairs,
            None,
            "chosen is 1, rejected 0",
        ),
        BenchmarkLayout("messages", "messages (ShareGPT, chat)", _is_messages, _messages),
        BenchmarkLayout(
            "alpaca",
            "Alpaca",
            _with_keys("instruction", "input", "output"),
            _alpaca,
            fits=_with_keys("instruction", "output"),  # the input may be left out
        ),
    )
}


def detect(rows: RowSource) -> BenchmarkLayout | None:
    """The public layout that rows are written in, None for rows of no known layout."""
    return next((layout for layout in LAYOUTS.values() if layout.matches(rows)), None)
