"""How the keys of rows are spelled, which field each of them means, and what their words say about a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


MODEL_KEYS = (
    "actual_output",
    "prediction",
    "model_output",
    "generated_answer",
    "generated",
    "generation",
    "generated_text",
    "generated_summary",
    "model_answer",
    "model_response",
    "llm_answer",
    "llm_response",
    "predicted",
    "predict",
    "predictions",
    "pred",
    "preds",
)
"""Keys that say that a model wrote the text."""
WEAK_KEYS = ("output", "outputs", "completion", "summary", "answer")
"""Keys under which either a model's text or the right one may stand."""
HUMAN_KEYS = ("human_score", "human_scores", "human_rating", "human_ratings")
"""Keys that say that people gave the score."""

HISTORY_KEYS = ("history", "chat_history", "conversation_history", "dialog_history", "dialogue_history")
"""Keys of what was said before the instruction."""

ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "idx", "uid", "item_id"),
    "instruction": (
        *("instruction", "prompt", "question", "input", "query", "user_input", "user_prompt", "inputs", "problem"),
        *("user_query", "user_question", "user_message", "question_text", "prompt_text"),
    ),
    "response": ("response", "response_text", *MODEL_KEYS, *WEAK_KEYS),
    "reference": ("reference", "reference_answer", "expected_output", "expected", "ground_truth"),
    "source": (
        "source",
        "article",
        "document",
        "context",
        "source_text",
        "article_text",
        "passage",
        "contexts",
        "retrieved_contexts",
        "retrieval_context",
        "dialogue",
        "dialog",
    ),
    "rubric": ("rubric", "score_rubric", "criteria", "input_rubric"),
    "score": (*HUMAN_KEYS, "score", "rating", "input_score"),
    "scores": ("scores",),
    "group": ("group",),
    "rendered": ("rendered",),
}
"""Field -> the keys that it is taken from, the first one first."""

_PEOPLE = ("annotator", "rater", "worker", "assessor", "evaluator", "labeler", "labeller", "coder")
ANNOTATED = ".responses"
"""The end of a key with people's answers to a question, as Argilla writes its columns."""
ANNOTATORS = frozenset(f"{person}{end}" for person in _PEOPLE for end in ("", "_id", "_name"))
"""Keys of who gave the scores of a row."""
_WHATS = ("criterion", "aspect", "dimension", "metric", "attribute")
ASPECTS = frozenset((*_WHATS, *(f"{what}_name" for what in _WHATS)))
"""Keys of what the score of a row is for."""
_LAYOUT_KEYS = (
    *("messages", "conversations", "conversation", "contents", "responses", "choices", "chosen", "rejected"),
    *("system", "label"),
    *HISTORY_KEYS,
)
_RANGE = re.compile(r"\s*[(\[]\s*\d+\s*(?:-|–|to|\.\.)\s*\d+\s*[)\]]\s*$")
_CAPITALS = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LETTERS_THEN_DIGITS = re.compile(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])")

_SAID = word_set(
    "response responses reply replies answer answers output outputs summary completion completions generation "
    "generations generated prediction predictions predicted pred hypothesis hyp candidate candidates decoded "
    "translation transcript paraphrase headline sampled samples"
)
_MODELS = word_set(
    "model models llm ai bot assistant chatbot agent system generated predicted candidate student gpt chatgpt claude "
    "llama gemini mistral qwen deepseek machine hypothesis pred generation prediction"
)
_NAMED = word_set(
    "gpt chatgpt claude llama gemini mistral mixtral qwen deepseek gemma phi vicuna alpaca bard palm bart pegasus flan tulu "
    "falcon olmo cohere grok zephyr mpt longformer"
)
_SIZES = word_set(
    "mini turbo large base small medium tiny instruct chat sonnet opus haiku flash nano plus preview xsum tuned finetuned"
)
_SPEAKERS = word_set("model llm chatbot bot assistant ai result results")
_GENERATED = word_set("generated predicted pred machine llm ai bot chatbot assistant decoded")
_RIGHT = word_set(
    "gold golden correct true truth best right reference references ref expected ideal target human expert label wrong "
    "incorrect bad rejected good previous prev prior last initial original orig old first draft example few shot "
    "question prompt instruction instructions user input source possible acceptable desired intended official"
)
_ABOUT = word_set(
    "id ids idx index uid uuid name names type types kind token tokens time times latency length len version format "
    "count num number score scores scored rating ratings rated grade grades rank lang language url path file date "
    "timestamp status source style temperature config params settings metadata meta reason reasons reasoning feedback "
    "comment comments note notes rationale explanation justification critique review quality correct correctness "
    "confidence logprob logprobs prob probs probability key hash category categories domain topic level words chars "
    "size cost start end position choice choices option options prompt question instruction instructions model models "
    "generator author annotator user template schema error finish match accuracy acc f1 bleu rouge relevance "
    "faithfulness toxicity sentiment stop at by verdict judgment judgement judge evaluation eval label labels "
    "preference winner thoughts thinking trace mode role"
)


@lru_cache(maxsize=10_000)
def spelled(key: str) -> str:
    """The usual spelling of a key: that of the known key with the same letters and digits, else small letters.

    Capitals, spaces, hyphens, underscores and other marks make no difference, and no more does the range of a scale
    behind the name, as in "Rating (1-5)".
    """
    return _KNOWN.get(_letters(_RANGE.sub("", key)), key.lower())


@lru_cache(maxsize=10_000)
def said_by_model(key: str) -> bool:
    """Whether a key's words say that a model wrote the text, as in `gpt4_answer` or "Chatbot Reply"."""
    words = words_of_key(key)
    return _is_said(words) and not _MODELS.isdisjoint(words[:-1])


@lru_cache(maxsize=10_000)
def suggests_response(key: str) -> bool:
    """Whether a key's words say that a response may stand there, and nothing about one, as `answer_id` does.

    So does the bare name of a model, as in a table with a column for each.
    """
    words = words_of_key(key)
    rest = (word for word in words if word not in _NAMED and word not in _SIZES)
    named = words[:1] != () and (words[0] in _NAMED or words[:2] == ("t", "5"))
    return _is_said(words) or named and all(len(word) < 4 for word in rest)


@lru_cache(maxsize=10_000)
def tells_generated(key: str) -> bool:
    """Whether a key's words say that what stands there was generated, as in `pred_summary`."""
    return not _GENERATED.isdisjoint(words_of_key(key))


@lru_cache(maxsize=10_000)
def may_be_who_or_what(key: str) -> bool:
    """Whether a key names a model or a result, so that either its name or what it said may stand there.

    For instance `model`, `llm`, `model_a`, `chatbot` and `result`.
    """
    words = words_of_key(key)
    return words[:1] != () and words[0] in _SPEAKERS and all(len(word) < 2 or word.isdigit() for word in words[1:])


def names_model(text: str) -> bool:
    """Whether a text has the name of a known model in it, or a number as of a version."""
    words = words_of_key(text)
    return not _NAMED.isdisjoint(words) or any(map(str.isdigit, words))


@lru_cache(maxsize=10_000)
def words_of_key(key: str) -> tuple[str, ...]:
    """The words of a key in small letters: "gpt4Answer" is "gpt", "4", "answer"."""
    parted = _LETTERS_THEN_DIGITS.sub(" ", _CAPITALS.sub(" ", unicodedata.normalize("NFKC", key)).lower())
    return tuple(re.findall(r"[^\W_]+", parted))


def by_spelling(keys: Iterable[str]) -> Mapping[str, str]:
    """The keys as they are written, by that spelling and by the usual one, which is the first's where several have it."""
    return _by_spelling(tuple(keys))


def usual_keys(keys: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """For each field those of the keys that it is taken from, as they are written, the first one first."""
    return _usual_keys(tuple(keys))


# The rows of a file are alike in their keys.
@lru_cache(maxsize=1_000)
def _by_spelling(keys: tuple[str, ...]) -> Mapping[str, str]:
    found = {key: key for key in keys}
    for key in keys:
        found.setdefault(spelled(key), key)
    return found


@lru_cache(maxsize=1_000)
def _usual_keys(keys: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    written = _by_spelling(keys)
    return {field: tuple(written[one] for one in aliases if one in written) for field, aliases in ALIASES.items()}


def response_key(values: Mapping[str, Any], blank: Collection[str], taken: Collection[str] = ()) -> str | None:
    """The key of a row that its response is taken from, as the row writes it; None where no key means one.

    It is the first of the usual keys that the row has at all: without a value under it the row has no response, since
    what stands under the next one is something else, such as the right answer. One key whose words say that the text
    was generated comes before WEAK_KEYS; an answer that is the number of a choice is none. A row without any of them may
    have the choices of a completion, or one key that `said_by_model`.

    values, blank: as in `Row`. taken: keys that other fields are mapped to.
    """
    written = by_spelling([*values, *sorted(blank)])
    found = usual_keys([*values, *sorted(blank)])["response"]
    usual = [key for key in found if key not in taken and not is_number_of_choice(key, values.get(key), written)]
    if usual and spelled(usual[0]) not in WEAK_KEYS:
        return usual[0]
    said = [key for key, value in values.items() if said_by_model(key) and isinstance(value, str) and key not in taken]
    if len(clear := [key for key in said if tells_generated(key)]) == 1:
        return clear[0]
    if usual:
        return usual[0]
    choices = written.get("choices", "")
    if _are_choices(values.get(choices)) and choices not in taken:
        return choices
    return said[0] if len(said) == 1 else None


def is_number_of_choice(key: str, value: Any, written: Mapping[str, str]) -> bool:
    """Whether an answer is the number or the letter of one of the choices beside it, and so the right one."""
    if spelled(key) != "answer":
        return False
    if not ("choices" in written or "options" in written or ("a" in written and "b" in written)):
        return False
    return isinstance(value, (int, float)) or isinstance(value, str) and len(value.strip()) == 1


def _are_choices(value: Any) -> bool:
    """Whether a value is the choices of a completion."""
    entries = value if isinstance(value, list) else ()
    return bool(entries) and all(isinstance(one, Mapping) and ("message" in one or "text" in one) for one in entries)


def _is_said(words: tuple[str, ...]) -> bool:
    bare = tuple(word for word in words if not word.isdigit() and len(word) > 1)
    return bool(bare) and not _SAID.isdisjoint(words) and bare[-1] not in _ABOUT and _RIGHT.isdisjoint(bare)


def _letters(key: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", key)).casefold()


_KNOWN = {_letters(key): key for key in (*_LAYOUT_KEYS, *ANNOTATORS, *ASPECTS, *sum(ALIASES.values(), ()))}
