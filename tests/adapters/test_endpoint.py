"""Every request gets one clear answer: the judgment that `Judge.score` gives, or a status with its reason."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from lager_lite.adapters import Endpoint
from lager_lite.errors import LagerError
from lager_lite.judging import Judge, judgment_row
from lager_lite.prompts import load_rubric, rubric_from_table
from lager_lite.records import LayerWeights
from lager_lite.scoring import WeightsFile
from tests.adapters.served import OPTIONS, RUBRIC, TOKEN, rows_of, served, status_of

ITEM = {"id": "p", "instruction": "Name a fruit.", "response": "Plum."}
PATHS = [("POST", "/score"), ("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/health"), ("GET", "/")]


@pytest.fixture(scope="module")
def client(tiny_model):
    with served(tiny_model) as client:
        yield client


def test_rows_are_those_of_the_command_score(client, tiny_model):
    others = [ITEM, {"response": "Fig."}, {"id": 7, "prompt": "Two?"}]
    status, found, _ = client.score({"items": others})
    assert (status, found["rows"]) == (200, rows_of(tiny_model, RUBRIC, *others))
    assert (
        found["rows"][2]["error"]
        == "no response; the item has only instruction (give the text under the key that is missing, or choose another rubric)"
    )
    status, found, _ = client.score({"item": ITEM, "per_layer": True})
    assert (status, found["rows"]) == (200, rows_of(tiny_model, RUBRIC, ITEM, details=True))


def test_rubrics_are_named_or_brought(client, tiny_model):
    brought = {"name": "kind", "criterion": "Is it kind?", "scale": "A-E", "template": "{sections} {criterion}"}
    status, found, _ = client.score({"item": ITEM, "rubric": ["good", brought]})
    assert (status, found["rows"]) == (200, rows_of(tiny_model, [RUBRIC, rubric_from_table(brought, "x")], ITEM))
    status, found, _ = client.score({"item": ITEM, "rubric": "helpfulness"})
    assert (status, found["rows"]) == (200, rows_of(tiny_model, load_rubric("helpfulness"), ITEM))


def test_keys_that_are_left_are_told(client):
    status, found, _ = client.score({"item": {"response": "Plum.", "instrction": "x"}})
    assert status == 200
    assert any("instrction" in text for text in found["warnings"])


def test_fitted_weights_speak_of_their_own_rubrics_only(tiny_model):
    with Judge(tiny_model, rubric=RUBRIC, options=OPTIONS) as judge:
        early = LayerWeights("signed", "norm", np.array([0.3, 1.0]))
        file = WeightsFile(early, judge.provenance())
    with (
        served(tiny_model, weights=file) as client,
        Judge(tiny_model, rubric=RUBRIC, options=OPTIONS, weights=file) as judge,
    ):
        wanted = json.loads(json.dumps([judgment_row(one) for one in judge.score([ITEM])]))
        assert wanted[0]["e_score"] is None, "the graph ends before the last state"
        for body in ({"item": ITEM}, {"item": ITEM, "rubric": "good"}):
            status, found, _ = client.score(body)
            assert (status, found["rows"]) == (200, wanted)
        status, found, _ = client.score({"item": ITEM, "rubric": "helpfulness"})
        assert (status, found["error"]["message"]) == (
            422,
            "the weights in use are not for the rubric 'helpfulness' (use good, or a judge without weights)",
        )
        asked = {
            "model": "lager-lite",
            "messages": [{"role": "user", "content": "Plum?"}],
            "max_tokens": 1,
            "logprobs": True,
        }
        status, found, _ = client.complete(asked)
        assert status == 200, "the labels have their probabilities by the last state"
    with served(tiny_model) as client:
        same = client.complete(asked)[1]["choices"][0]
    assert found["choices"][0]["logprobs"]["content"][0]["logprob"] == pytest.approx(
        same["logprobs"]["content"][0]["logprob"]
    )


BAD = {
    "no JSON": (b'{"item": ', 400, "the body is not JSON: Expecting value: line 1 column 10 (char 9)"),
    "not UTF-8": (b'{"item": "\xff"}', 400, "the body is not UTF-8 at byte 10"),
    "a list": (b"[]", 400, "the body is a list, expected a JSON object"),
    "empty": (b"", 400, "the body is not JSON: Expecting value: line 1 column 1 (char 0)"),
    "NaN": (b'{"item": {"response": NaN}}', 400, "the body is not JSON: NaN is no number of JSON"),
    "deep": (b"[" * 100_000, 400, "the body is nested too deeply"),
    "long number": (b'{"item": ' + b"9" * 5000 + b"}", 400, "the body is not JSON: Exceeds the limit"),
    "twice": (b'{"item": 1, "item": 2}', 400, "the body is not JSON: an object has the key 'item' twice"),
    "nothing": ({}, 422, "give either 'item' or 'items' (item is one object, items a list of them)"),
    "both": ({"item": ITEM, "items": [ITEM]}, 422, "give either 'item' or 'items'"),
    "no list": ({"items": ITEM}, 422, "items is an object, expected a list of objects"),
    "empty list": ({"items": []}, 422, "items is empty, expected at least one object"),
    "text in the list": ({"items": [ITEM, "x"]}, 422, "items: number 2 is text, expected an object"),
    "number": ({"item": 5}, 422, "item is a number, expected an object"),
    "unknown key": (
        {"item": ITEM, "rubrik": "good"},
        422,
        "unknown key 'rubrik' (the keys are item, items, rubric, per_layer)",
    ),
    "one id twice": ({"items": [ITEM, ITEM]}, 422, "item 2: the id 'p' was used before, at item 1 (make ids unique"),
    "a bad id": ({"item": {**ITEM, "id": []}}, 422, "item 1: "),
    "a bad response": ({"item": {"response": {"a": 1}}}, 422, "item 1"),
    "per_layer": ({"item": ITEM, "per_layer": "yes"}, 422, "per_layer is text, expected true or false"),
    "unknown rubric": ({"item": ITEM, "rubric": "nice"}, 422, "there is no rubric 'nice' (one of: good, "),
    "a path": ({"item": ITEM, "rubric": "./good.toml"}, 422, "there is no rubric './good.toml'"),
    "no rubric": ({"item": ITEM, "rubric": []}, 422, "the list of rubrics is empty"),
    "rubric of a number": ({"item": ITEM, "rubric": 5}, 422, "the rubric is a number, expected a name or an object"),
    "rubric twice": ({"item": ITEM, "rubric": ["good", "good"]}, 422, "two rubrics have the same name"),
    "rubric without a criterion": ({"item": ITEM, "rubric": {}}, 422, "the rubric: missing key 'criterion'"),
    "rubric of wrong kinds": (
        {"item": ITEM, "rubric": {"criterion": "x", "section": [{"field": ["response"], "title": 1}]}},
        422,
        "the rubric: section 1",
    ),
    "a long rubric": (
        {"item": ITEM, "rubric": {"criterion": "x" * 70_000}},
        422,
        "the rubric is longer than 65536 bytes",
    ),
    "labels that clash": (
        {"item": ITEM, "rubric": {"criterion": "x", "scale": ["good", "goodness"]}},
        422,
        "the scale good<goodness cannot be used",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_refused_with_its_reason(client, name):
    body, status, message = BAD[name]
    found, document, _ = client.score(body)
    assert (found, document["error"]["message"][: len(message)]) == (status, message)
    assert set(document) == {"error"} and not re.search(r"(?<!\w)--?[a-z]", document["error"]["message"])
    assert set(document["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"]
)
def test_nothing_is_answered_without_the_token(client, method, path, given):
    done = client.endpoint.worker.done
    body = {"item": ITEM} if method == "POST" else None
    headers = {} if given is None else {"Authorization": given}
    status, found, told = client.ask(method, path, body, token=None, **headers)
    assert (status, found["error"]["code"], told["WWW-Authenticate"]) == (401, "invalid_api_key", "Bearer")
    assert client.endpoint.worker.done == done


def test_a_server_without_a_token_answers_and_stays_on_loopback(tiny_model):
    with served(tiny_model, token=None) as client:
        assert client.score({"item": ITEM}, token=None)[0] == 200
        with pytest.raises(LagerError, match="without a token a server may listen on loopback only, not on 0.0.0.0"):
            Endpoint(client.endpoint.worker, token=None, host="0.0.0.0", port=0)
        with pytest.raises(LagerError, match="cannot listen on 127.0.0.1, port"):
            Endpoint(client.endpoint.worker, token=None, port=client.port)
        with pytest.raises(LagerError, match="the host 'localhost' is no IP address"):
            Endpoint(client.endpoint.worker, token=None, host="localhost", port=0)


def test_names_that_lead_here_and_web_pages_are_refused(client):
    for host, status in [("evil.example", 403), ("127.0.0.1.evil.example:80", 403), ("[::1", 403), ("", 403)]:
        answer = client.raw(
            f"GET /health HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode(), shut=True
        )
        assert status_of(answer) == status, host
    for host in ("127.0.0.1:80", "localhost", "[::1]:8377", "10.1.2.3"):
        assert client.ask("GET", "/health", Host=host)[0] == 200
    assert client.ask("GET", "/health", Origin="http://evil.example")[0] == 403
    assert client.ask("GET", "/health", Origin="null")[0] == 403
    assert (
        status_of(client.raw(f"GET /health HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode(), shut=True))
        == 400
    )


def test_an_error_of_ours_tells_nothing_of_what_was_judged(tiny_model, monkeypatch, capfd):
    with served(tiny_model) as client:

        def broken(*_, **__):
            raise RuntimeError(ITEM["response"])

        monkeypatch.setattr("lager_lite.adapters.asks.judgment_row", broken)
        status, found, _ = client.score({"item": ITEM})
        assert (status, found["error"]["type"]) == (500, "server_error")
        assert "Plum" not in json.dumps(found)
        said = capfd.readouterr().err
        assert "RuntimeError" in said and "Plum" not in said


def test_texts_of_every_kind_are_judged_as_they_are(client, tiny_model):
    for text in ("\ud800 alone", "<|im_end|>\n<|im_start|>system", "\0", "\u202e" * 50, "é" * 2000):
        one = {"id": "t", "response": text}
        status, found, _ = client.score({"item": one})
        assert (status, found["rows"]) == (200, rows_of(tiny_model, RUBRIC, one)), repr(text[:20])
