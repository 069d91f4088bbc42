"""The chat completions of a grader: the labels with their probabilities, and a refusal of whatever else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lager_lite.judging import Judge
from lager_lite.llama import Backbone
from lager_lite.prompts import Rubric, parse_scale
from tests.adapters.served import OPTIONS, RUBRIC, served

ASKED = {
    "model": "lager-lite",
    "messages": [{"role": "user", "content": "Rate the plum from 1 to 5."}],
    "max_tokens": 1,
    "logprobs": True,
    "top_logprobs": 5,
}


@pytest.fixture(scope="module")
def client(tiny_model):
    with served(tiny_model) as client:
        yield client


def test_a_label_is_as_likely_as_the_model_says(client, tiny_model):
    """By llama.cpp's own logits behind the prompt that the chat template makes, over the whole vocabulary."""
    prompt = "<|im_start|>user\nRate the plum from 1 to 5.<|im_end|>\n<|im_start|>assistant\n"
    with Backbone(tiny_model, OPTIONS) as backbone:
        (found,) = backbone.read_states([backbone.tokenize(prompt, parse_special=True, start=True)])
        logits = found.logits.astype(np.float64)
        shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        wanted = {label: shares[backbone.tokenize(label, parse_special=False)[0]] for label in "12345"}
    told = client.complete(ASKED)[1]["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    assert {one["token"]: math.exp(one["logprob"]) for one in told} == pytest.approx(wanted, rel=1e-4)


def expected(model, text, labels, system=""):
    """The probability of every label among all tokens, from the judge's own API."""
    rubric = Rubric("x", "", parse_scale(labels), system=system, template="{message}", sections=(), lead="")
    with Judge(model, rubric=rubric, options=OPTIONS) as judge:
        (found,) = judge.score([{"message": text}])
    return {label: p * found.mass for label, p in found.probabilities.items()}, found.tokens


def test_every_label_has_its_probability_among_all_tokens(client, tiny_model):
    status, found, _ = client.complete(ASKED)
    assert status == 200
    (choice,) = found["choices"]
    wanted, tokens = expected(tiny_model, "Rate the plum from 1 to 5.", "1-5")
    told = choice["logprobs"]["content"][0]["top_logprobs"]
    assert {one["token"]: math.exp(one["logprob"]) for one in told} == pytest.approx(wanted)
    assert [one["logprob"] for one in told] == sorted((one["logprob"] for one in told), reverse=True)
    assert choice["message"]["content"] == max(wanted, key=wanted.get) == choice["logprobs"]["content"][0]["token"]
    assert (choice["finish_reason"], found["object"]) == ("stop", "chat.completion")
    assert found["usage"] == {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}


def test_labels_and_a_system_message_are_read(client, tiny_model):
    messages = [
        {"role": "system", "content": "You grade."},
        {"role": "user", "content": [{"type": "text", "text": "Which?"}]},
    ]
    body = {**ASKED, "messages": messages, "guided_choice": ["m", "M"], "top_logprobs": 1, "max_tokens": None}
    status, found, _ = client.complete(body)
    assert status == 200
    wanted, _ = expected(tiny_model, "Which?", ["m", "M"], system="You grade.")
    (best,) = found["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    assert math.exp(best["logprob"]) == pytest.approx(max(wanted.values()))


def test_labels_of_several_tokens_are_answered_without_logprobs(client):
    body = {key: value for key, value in ASKED.items() if "logprobs" not in key}
    status, found, _ = client.complete({**body, "guided_choice": ["qz xv", "A"]})
    assert status == 200 and found["choices"][0]["message"]["content"] in ("qz xv", "A")


def test_without_logprobs_there_are_none(client):
    body = {key: value for key, value in ASKED.items() if "logprobs" not in key}
    assert client.complete(body)[1]["choices"][0]["logprobs"] is None


REFUSED = {
    "stream": ({"stream": True}, "stream", "answers are not streamed"),
    "n": ({"n": 2}, "n", "one answer is given"),
    "tools": ({"tools": [{"type": "function"}]}, "tools", "tools are not called"),
    "long": ({"max_tokens": 500}, "max_tokens", "may be at most 16"),
    "long by the new name": (
        {"max_tokens": None, "max_completion_tokens": 99},
        "max_completion_tokens",
        "may be at most 16",
    ),
    "no length": ({"max_tokens": None}, "max_tokens", "give max_tokens"),
    "a length of nothing": ({"max_tokens": 0}, "max_tokens", "at least 1"),
    "a length of text": ({"max_tokens": "1"}, "max_tokens", "at least 1"),
    "temperature": ({"temperature": 0.7}, "temperature", "the most likely label"),
    "temperature of truth": ({"temperature": False}, "temperature", "the most likely label"),
    "json": ({"response_format": {"type": "json_object"}}, "response_format", "not JSON"),
    "bias": ({"logit_bias": {"1": 5}}, "logit_bias", "guided_choice"),
    "unknown": ({"best_of": 2}, "best_of", "is not supported"),
    "many": ({"top_logprobs": 21}, "top_logprobs", "from 0 to 20"),
    "alone": ({"logprobs": False}, "top_logprobs", "needs logprobs"),
    "no messages": ({"messages": []}, "messages", "at least one message"),
    "text": ({"messages": "Rate it."}, "messages", "must be a list"),
    "assistant": (
        {"messages": [*ASKED["messages"], {"role": "assistant", "content": "4"}]},
        "messages",
        "the role 'assistant'",
    ),
    "a list as the role": ({"messages": [{"role": [], "content": "4"}]}, "messages", "the role []"),
    "two users": ({"messages": ASKED["messages"] * 2}, "messages", "one user message"),
    "an image": ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages", "must be text"),
    "no user": ({"messages": [{"role": "system", "content": "x"}]}, "messages", "no user message"),
    "a control token": (
        {"messages": [{"role": "system", "content": "<|im_end|>"}, *ASKED["messages"]]},
        "messages",
        "a control token of this model",
    ),
    "one label": ({"guided_choice": ["A"]}, "guided_choice", "expected 2 to 20"),
    "labels twice": ({"guided_choice": ["A", "A"]}, "guided_choice", "distinct"),
    "labels that clash": ({"guided_choice": ["good", "goodness"]}, "guided_choice", "begin with the same token"),
    "labels that go on": ({"guided_choice": ["1", "10"]}, "guided_choice", "'1', '10' begin with the same token"),
    "labels of several tokens": ({"guided_choice": ["qz xv", "A"]}, "guided_choice", "and 'qz xv' is several"),
    "labels that begin alike": ({"guided_choice": ["qz x", "qz v"]}, "guided_choice", "'qz x', 'qz v' are several"),
    "no model": ({"model": None}, "model", "names no model"),
    "too long": ({"messages": [{"role": "user", "content": "x " * 9000}]}, "messages", "the context holds 4096"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_refused_and_never_left_out(client, name):
    change, param, message = REFUSED[name]
    status, found, _ = client.complete({**ASKED, **change})
    assert (status, found["error"]["param"], found["error"]["type"]) == (400, param, "invalid_request_error")
    assert message in found["error"]["message"]


def test_the_model_has_a_name(client, tiny_model):
    status, found, _ = client.ask("GET", "/v1/models")
    assert (status, [one["id"] for one in found["data"]]) == (200, [tiny_model.stem])
    assert client.ask("GET", f"/v1/models/{tiny_model.stem}")[1]["id"] == tiny_model.stem
    assert client.complete({**ASKED, "model": tiny_model.stem})[0] == 200
    for status, found, _ in (client.complete({**ASKED, "model": "gpt-5"}), client.ask("GET", "/v1/models/gpt-5")):
        assert (status, found["error"]["code"]) == (404, "model_not_found")
    status, found, _ = client.ask("GET", "/health")
    assert (status, found["model"], found["rubrics"]) == (200, tiny_model.stem, [RUBRIC.name])


def test_openais_own_client_understands_the_answers(client):
    openai = pytest.importorskip("openai", reason="OpenAI's client is not installed")
    asked = openai.OpenAI(base_url=f"{client.endpoint.url}/v1", api_key="a-token-of-more-than-16-signs", max_retries=0)
    found = asked.chat.completions.create(**ASKED, extra_body={"guided_choice": ["A", "B"]})
    assert {one.token for one in found.choices[0].logprobs.content[0].top_logprobs} == {"A", "B"}
    with pytest.raises(openai.BadRequestError, match="answers are not streamed"):
        asked.chat.completions.create(**ASKED, stream=True)
    with pytest.raises(openai.AuthenticationError):
        asked.with_options(api_key="wrong").models.list()
