"""The public benchmark layouts: how each is recognised, and what one of its rows means as items.

Every reader keeps single human scores and derives the group that must not be split (same source text,
same prompt, same dialogue).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...records import Item
from ..keys import (
    HeldRows,
    Row,
    RowSource,
    field_keys,
    group_of,
    identity_of,
    is_blank,
    is_decided,
    outlined,
    response_key,
    rows_of,
    scores_of,
    text_of,
    texts_of,
)
from .decisions import decided, is_translated, translated
from .nested import argilla, is_argilla, is_label_studio, is_nested, label_studio, nested
from .training import (
    alpaca,
    fits_alpaca,
    is_alpaca,
    is_labelled_completion,
    is_messages,
    is_pair,
    labelled_completion,
    messages,
    pairs,
)
from .unanswered import emotion, eq_bench, examples, is_eq_bench, is_self_aware, self_aware


@dataclass(frozen=True)
class BenchmarkLayout:
    """One public layout.

    name: as for `--layout`.
    about: its name in messages.
    matches: whether a row, by its keys in small letters, is written in it; with `inside`, the file's object.
    read: the items of one row with its number from 1. Raises DataError, and what a missing key raises.
    scale: the scale of its human scores, None where that varies.
    note: what a user should know about those scores, may be empty.
    fits: what is enough where the user names the layout or other rows decide, None where that is `matches`.
    inside: the rows that a JSON object in this layout holds, None for what `unfold` makes of any object.
    responded: whether its rows hold responses; the others are for rubrics that judge something else.
    """

    name: str
    about: str
    matches: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Row, int], Iterator[Item]]
    scale: str | None = None
    note: str = ""
    fits: Callable[[Mapping[str, Any]], bool] | None = None
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
_RESPONSE_MARK = re.compile(r"###\s*Response to evaluate", re.I)
_GRADING = re.compile(r"^#{2,3} *\S|\b(?:scor(?:e|ing)|rat(?:e|ing)|evaluat(?:e|ion)|judge)\b", re.I | re.M)
_PARTS = dict.fromkeys(("instruction", "response", "reference", "rubric", "rendered", "group"), ("instruction",))


def _with_keys(*keys: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda values: values.keys() >= set(keys)


def _is_judge_bench(whole: Mapping[str, Any]) -> bool:
    return isinstance(whole.get("annotations"), list) and "instances" in whole


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
    human = {metric: scores for metric, scores in human.items() if scores}
    keys = field_keys(source="instance", response="instance", group="instance", scores="annotations", id="id")
    yield Item(identity_of(row, number), fields, human, group, where=row.where, keys=keys)


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
    identity = identity_of(row, number)  # idx names the question, not the row
    keys = {**_PARTS, **field_keys(score=key, id="id")}
    yield Item(identity, fields, {"": scores} if scores else {}, group, text, row.where, keys)


def _lager(row: Row, number: int) -> Iterator[Item]:
    text = text_of(row.values["user_prompt"], "user_prompt", row.where)
    match = _PROMETHEUS.search(text)
    fields = {k: v for k, v in match.groupdict().items() if v is not None} if match else {}
    if "user_prompt_feedback" in row.values:
        key = "user_prompt_feedback"
        fields["rendered_feedback"] = text_of(row.values[key], key, row.where)
    scores = scores_of(row.values.get("score"), "score", row.where)
    group = group_of(fields["instruction"]) if "instruction" in fields else None
    identity = identity_of(row, number)
    keys = {**dict.fromkeys(_PARTS, ("user_prompt",)), **field_keys(score="score", id="id")}
    keys["rendered_feedback"] = ("user_prompt_feedback",)
    yield Item(identity, fields, {"": scores} if scores else {}, group, text, row.where, keys)


def _feedback_collection(row: Row, number: int) -> Iterator[Item]:
    """The parts of the grading prompt stand beside it; `output` is what a judge said of the response."""
    named = {"instruction": "orig_instruction", "response": "orig_response"}
    others = {"reference": "orig_reference_answer", "rubric": "orig_criteria"}
    named.update({field: key for field, key in others.items() if not is_blank(row.values.get(key))})
    fields = texts_of(row, **named)
    keys = {**field_keys(**named, score="orig_score", id="id"), "group": ("orig_instruction",)}
    for score in range(1, 6) if "rubric" in fields else ():
        key = f"orig_score{score}_description"
        if not is_blank(row.values.get(key)):
            fields["rubric"] += f"\nScore {score}: {text_of(row.values[key], key, row.where)}"
            keys["rubric"] += (key,)
    scores = scores_of(row.values.get("orig_score"), "orig_score", row.where)
    group = group_of(fields["instruction"])
    yield Item(identity_of(row, number), fields, {"": scores} if scores else {}, group, where=row.where, keys=keys)


def _helpsteer(row: Row, number: int) -> Iterator[Item]:
    fields = texts_of(row, instruction="prompt", response="response")
    human = {key: scores_of(row.values.get(key), key, row.where) for key in HELPSTEER}
    human = {key: scores for key, scores in human.items() if scores}
    identity = identity_of(row, number)
    keys = {**field_keys(instruction="prompt", response="response", group="prompt", id="id"), "scores": HELPSTEER}
    yield Item(identity, fields, human, group_of(fields["instruction"]), where=row.where, keys=keys)


def _biggen(row: Row, number: int) -> Iterator[Item]:
    fields = texts_of(row, instruction="input", response="response")
    for field, key in (("reference", "reference_answer"), ("system_prompt", "system_prompt")):
        if row.values.get(key):
            fields[field] = text_of(row.values[key], key, row.where)
    fields["rubric"] = outlined(row.values["score_rubric"], "score_rubric", row.where)
    scores = scores_of(row.values.get("human_score"), "human_score", row.where)
    name = identity_of(row, number)
    if row.values.get("model_name"):
        name = f"{name}/{row.values['model_name']}"
    group = group_of(fields["instruction"])
    keys = field_keys(instruction="input", response="response", group="input", system_prompt="system_prompt")
    keys.update(
        field_keys(reference="reference_answer", rubric="score_rubric", score="human_score"), id=("id", "model_name")
    )
    yield Item(name, fields, {"": scores} if scores else {}, group, where=row.where, keys=keys)


def _is_rendered(values: Mapping[str, Any]) -> bool:
    """Whether the prompt of LAGER's lines is a whole grading prompt, and no response stands beside it."""
    text = values.get("user_prompt")
    graded = "user_prompt_feedback" in values or isinstance(text, str) and bool(_GRADING.search(text))
    return graded and has_no_response(values)


def _is_prometheus(values: Mapping[str, Any]) -> bool:
    marked = _RESPONSE_MARK.search(str(values.get("instruction", "")))
    return bool(marked) and not values.keys().isdisjoint({"gpt4_score", "human_score"}) and has_no_response(values)


def has_no_response(values: Mapping[str, Any]) -> bool:
    """Whether a row of ours with these values would be an item without a response."""
    key = response_key({key: value for key, value in values.items() if not is_blank(value)}, ())
    return key is None


LAYOUTS: Mapping[str, BenchmarkLayout] = {
    layout.name: layout
    for layout in (
        BenchmarkLayout("judge-bench", "JUDGE-BENCH", _is_judge_bench, _judge_bench, inside=_instances),
        BenchmarkLayout(
            "self-aware",
            "SelfAware",
            is_self_aware,
            self_aware,
            "1-5",
            "answerable is 5, unanswerable 1",
            inside=examples,
            responded=False,
        ),
        BenchmarkLayout(
            "eq-bench", "EQ-Bench v2, one item per emotion", is_eq_bench, eq_bench, "0-10", responded=False
        ),
        BenchmarkLayout("biggen", "BiGGen-Bench", _with_keys("input", "response", "score_rubric"), _biggen, "1-5"),
        BenchmarkLayout(
            "emotion",
            "the emotion set of LAGER",
            _with_keys("dialogue", "human", "emotion", "emotion_score"),
            emotion,
            "1-9",
            responded=False,
        ),
        BenchmarkLayout(
            "lager",
            "LAGER's JSON lines (rendered prompts)",
            _is_rendered,
            _lager,
            "1-5",
            fits=lambda values: "user_prompt" in values and has_no_response(values),
        ),
        BenchmarkLayout(
            "feedback-collection",
            "the Feedback Collection of Prometheus",
            _with_keys("orig_instruction", "orig_response"),
            _feedback_collection,
            "1-5",
            "the scores are GPT-4's, not people's",
            fits=_with_keys("orig_instruction"),
        ),
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
            is_pair,
            pairs,
            None,
            "chosen is 1, rejected 0",
        ),
        BenchmarkLayout(
            "kto",
            "KTO (labelled completions)",
            is_labelled_completion,
            labelled_completion,
            None,
            "label true is 1, false 0",
            fits=_with_keys("prompt", "completion"),
        ),
        BenchmarkLayout("prodigy", "Prodigy", is_decided, decided, None, "accept is 1, reject 0"),
        BenchmarkLayout("translation", "translations", is_translated, translated),
        BenchmarkLayout("argilla", "Argilla", is_argilla, argilla),
        BenchmarkLayout("label-studio", "Label Studio", is_label_studio, label_studio),
        BenchmarkLayout("messages", "messages (ShareGPT, chat)", is_messages, messages),
        BenchmarkLayout(
            "alpaca",
            "Alpaca",
            is_alpaca,
            alpaca,
            fits=fits_alpaca,  # the input may be left out
        ),
        BenchmarkLayout("nested", "rows with their texts in objects (traces)", is_nested, nested),
    )
}
