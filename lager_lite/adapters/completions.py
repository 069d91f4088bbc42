"""The part of OpenAI's chat completions that a grader needs: the next token, one of the labels, with its probabilities.

The messages are a prompt that was written elsewhere, so no rubric and no fitted weights speak of it. It is read up to
where the assistant's answer begins, and the last state's logits of the labels are the answer, as the model would give
it if it had to answer with a label. What this API has beyond that is refused, and never left out silently.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data import kind_of
from ..errors import PromptError
from ..judging import Judge, clashing, under
from ..prompts import Rubric, parse_scale
from ..records import Item, Judgment, Scale
from .bodies import RequestError
from .worker import Ask, judgments_of

MOST_TOKENS = 16
"""The most tokens that an answer may be asked to have; it is always one label."""

ALIAS = "lager-lite"
"""A name under which every model can be asked."""

_LOWEST = -9999.0
_MOST_LABELS = 20
_MOST_SYSTEM = 1 << 16
_LABELS = "guided_choice"


def _is_null(value: Any) -> bool:
    return value is None


def _one_of(*allowed: Any) -> Callable[[Any], bool]:
    return lambda value: value is None or any(value == one and type(value) in _like(one) for one in allowed)


def _like(value: Any) -> tuple[type, ...]:
    return (int, float) if isinstance(value, (int, float)) and not isinstance(value, bool) else (type(value),)


# What may be asked beside the messages, and the reason why everything else of a key is refused.
_ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "n": (_one_of(1), "one answer is given"),
    "stream": (_one_of(False), "answers are not streamed"),
    "temperature": (_one_of(0), "the answer is always the most likely label: give 0, or leave it out"),
    "top_p": (_one_of(1), "the answer is always the most likely label: give 1, or leave it out"),
    "presence_penalty": (_one_of(0), "logits are not changed"),
    "frequency_penalty": (_one_of(0), "logits are not changed"),
    "logit_bias": (_one_of({}), f"logits are not changed: name the labels with {_LABELS}"),
    "tools": (_one_of([]), "tools are not called"),
    "functions": (_one_of([]), "tools are not called"),
    "tool_choice": (_one_of("none"), "tools are not called"),
    "parallel_tool_calls": (_one_of(True, False), "expected true or false"),
    "stop": (_one_of([], ""), "the answer is one label"),
    "response_format": (_one_of({"type": "text"}), "the answer is one label, not JSON"),
    "store": (_one_of(False), "nothing is kept"),
    "seed": (lambda value: value is None or type(value) is int, "expected a whole number"),
    "user": (lambda value: value is None or isinstance(value, str), "expected text"),
    "stream_options": (_is_null, "answers are not streamed"),
}
_KEYS = ("model", "messages", "max_tokens", "max_completion_tokens", "logprobs", "top_logprobs", _LABELS)


@dataclass(frozen=True)
class Completion:
    """What a request asks for.

    - `model`: the name that it gives the model.
    - `rubric`: its messages but the user's text, as a rubric on the scale of its labels.
    - `text`: the user's text.
    - `logprobs`: whether the answer names its probability.
    - `top`: how many of the labels the answer names with their probabilities.
    """

    model: str
    rubric: Rubric
    text: str
    logprobs: bool
    top: int

    def ask(self) -> Ask:
        """Return what a Worker is asked."""
        item = Item("completion", {"message": self.text})
        # What is known of a rubric without logprobs says nothing of its labels with them.
        return Ask(("completion", self.rubric, self.logprobs), self._view, judgments_of, (item,), 1)

    def _view(self, judge: Judge) -> Judge:
        system, backbone = self.rubric.system, judge.backbone
        # A system text is trusted, and so are the control tokens in it; a text to be judged may have been put there.
        if backbone.tokenize(system, parse_special=True) != backbone.tokenize(system, parse_special=False):
            raise RequestError(
                400,
                "the system message holds a control token of this model",
                "put what is judged into the user message, where such tokens are plain text",
                param="messages",
            )
        try:
            view = under(judge, self.rubric, fitted=False)
        except PromptError as error:
            clash = ", ".join(map(repr, clashing(backbone, self.rubric.lead, self.rubric.scale.labels)))
            message = f"the answer is told by one token, and {clash} begin with the same token of the model"
            message, hint = (message, "give labels that begin differently") if clash else (error.message, error.hint)
            raise RequestError(400, message, hint, param=_LABELS) from None
        if self.logprobs:
            _check_whole(view, self.rubric.scale.labels)
        return view


def model_id(judge: Judge) -> str:
    """The name of the model: that of its file."""
    return judge.info.paths[0].stem


def check_model(name: Any, judge: Judge) -> str:
    """Return the name of a model. Raises RequestError (404) where it is not the one that is served."""
    if name in (model_id(judge), ALIAS):
        return str(name)
    raise RequestError(
        404, f"the model {name!r} does not exist", f"use {ALIAS!r}", param="model", code="model_not_found"
    )


def models_document(judge: Judge) -> dict[str, Any]:
    """The list of models: the one that is served."""
    created = int(judge.info.paths[0].stat().st_mtime)
    model = {"id": model_id(judge), "object": "model", "created": created, "owned_by": "lager-lite"}
    return {"object": "list", "data": [model]}


def wanted_completion(body: Mapping[str, Any], judge: Judge) -> Completion:
    """Read the body of a request. Raises RequestError (400, 404) for what cannot be done, naming the key."""
    for key, value in body.items():
        if key in _ALLOWED:
            allows, reason = _ALLOWED[key]
            if not allows(value):
                raise _unsupported(key, f"this value of {key} is not supported: {reason}")
        elif key not in _KEYS:
            raise _unsupported(key, f"the key {key} is not supported")
    if body.get("model") is None:
        raise _wrong("model", f"the request names no model: use {ALIAS!r}")
    model = check_model(body["model"], judge)
    system, text = _messages(body.get("messages"))
    scale = _scale(body.get(_LABELS), judge)
    _check_tokens(body, bounded=_LABELS in body)
    logprobs = body.get("logprobs") or False
    if not isinstance(logprobs, bool):
        raise _wrong("logprobs", f"logprobs is {kind_of(logprobs)}, expected true or false")
    top = body.get("top_logprobs") or 0
    if type(top) is not int or not 0 <= top <= _MOST_LABELS:
        raise _wrong("top_logprobs", f"top_logprobs must be a whole number from 0 to {_MOST_LABELS}")
    if top and not logprobs:
        raise _wrong("top_logprobs", "top_logprobs needs logprobs: true")
    rubric = Rubric("completion", "", scale, system=system, template="{message}", sections=(), lead="")
    return Completion(model, rubric, text, logprobs, top)


def completion_of(wanted: Completion, judgment: Judgment, judge: Judge) -> dict[str, Any]:
    """The answer to a request. Raises RequestError (400) where its prompt could not be judged."""
    if judgment.probabilities is None:
        code = "context_length_exceeded" if "context holds" in (judgment.error or "") else None
        raise RequestError(400, judgment.error or "the prompt cannot be read", param="messages", code=code)
    # Probabilities among all that the model could write: the labels share what they hold of it.
    share = 1.0 if judgment.mass is None else judgment.mass
    found = [_label(label, p * share) for label, p in judgment.probabilities.items()]
    found.sort(key=lambda one: -one["logprob"])
    best = {**found[0], "top_logprobs": found[: wanted.top]}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": wanted.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": best["token"], "refusal": None},
                "logprobs": {"content": [best], "refusal": None} if wanted.logprobs else None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": judgment.tokens,
            "completion_tokens": 1,
            "total_tokens": (judgment.tokens or 0) + 1,
        },
        "system_fingerprint": judge.info.fingerprint,
    }


def _check_whole(view: Judge, labels: Sequence[str]) -> None:
    """Raise RequestError for labels of several tokens: the one token that is read is not as likely as all of them."""
    long = [label for label in labels if len(view.backbone.tokenize(label, parse_special=False)) > 1]
    if long:
        raise RequestError(
            400,
            f"logprobs are those of labels that are one token of the model, and {', '.join(map(repr, long))} "
            f"{'is' if len(long) == 1 else 'are'} several",
            "give labels of one token, such as letters, or leave out logprobs",
            param=_LABELS,
        )


def _label(label: str, probability: float) -> dict[str, Any]:
    logprob = math.log(probability) if probability > 0 else _LOWEST
    return {"token": label, "logprob": logprob, "bytes": list(label.encode("utf-8", "surrogatepass"))}


def _messages(given: Any) -> tuple[str, str]:
    """The system text, "" for none, and the user's text."""
    if not isinstance(given, list) or not given:
        raise _wrong("messages", "messages must be a list with at least one message")
    texts: dict[str, str] = {}
    for number, message in enumerate(given):
        if not isinstance(message, dict):
            raise _wrong("messages", f"message {number} is {kind_of(message)}, expected an object")
        role = message.get("role")
        role = "system" if role == "developer" else role
        if not isinstance(role, str) or role not in ("system", "user"):
            raise _unsupported(
                "messages", f"message {number} has the role {role!r}: a system and a user message are read"
            )
        if strange := set(message) - {"role", "content"}:
            raise _unsupported("messages", f"message {number} has the key {min(strange)}, which is not supported")
        if role in texts or (role == "system" and texts):
            raise _unsupported("messages", "one user message is read, and before it at most one system message")
        texts[role] = _content(message.get("content"), number)
    if "user" not in texts:
        raise _wrong("messages", "there is no user message")
    if len(texts.get("system", "")) > _MOST_SYSTEM:
        raise _unsupported("messages", f"the system message is longer than {_MOST_SYSTEM} characters")
    return texts.get("system", "").strip(), texts["user"]


def _content(given: Any, number: int) -> str:
    if isinstance(given, list) and given and all(_is_text_part(part) for part in given):
        given = "".join(part["text"] for part in given)
    if not isinstance(given, str):
        raise _unsupported("messages", f"message {number}: its content must be text")
    return given


def _is_text_part(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _scale(given: Any, judge: Judge) -> Scale:
    """The scale of the labels that a request names; else that of the judge's first rubric."""
    if given is None:
        return judge.rubrics[0].scale
    if not isinstance(given, list) or not all(isinstance(label, str) for label in given):
        raise _wrong(_LABELS, f"{_LABELS} must be a list of texts")
    if not 2 <= len(given) <= _MOST_LABELS:
        raise _wrong(_LABELS, f"{_LABELS} has {len(given)} labels, expected 2 to {_MOST_LABELS}")
    try:
        return parse_scale(given)
    except PromptError as error:
        raise _wrong(_LABELS, error.message) from None


def _check_tokens(body: Mapping[str, Any], *, bounded: bool) -> None:
    given = [body[key] for key in ("max_tokens", "max_completion_tokens") if body.get(key) is not None]
    key = "max_completion_tokens" if body.get("max_tokens") is None else "max_tokens"
    if not given and not bounded:
        raise _unsupported(
            "max_tokens", f"the answer is one label: give max_tokens, at most {MOST_TOKENS}, or {_LABELS}"
        )
    if any(type(one) is not int or one < 1 for one in given):
        raise _wrong(key, f"{key} must be a whole number of at least 1")
    if any(one > MOST_TOKENS for one in given) and not bounded:
        raise _unsupported(key, f"the answer is one label: {key} may be at most {MOST_TOKENS}")


def _wrong(param: str, message: str) -> RequestError:
    return RequestError(400, message, param=param, code="invalid_value")


def _unsupported(param: str, message: str) -> RequestError:
    return RequestError(400, message, param=param, code="unsupported_value")
