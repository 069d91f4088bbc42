"""`serve` as a process: what it prints, whom it answers, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
BODY = {"items": [{"id": n, "instruction": "Name a fruit.", "response": f"Fruit {n}."} for n in range(6)]}


@contextmanager
def serving(folder: Path, model: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A server as a process, killed at the end where it still runs."""
    own = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "PYTHONPATH": str(ROOT)}
    own["LAGER_LITE_STORE"] = str(folder / "store.sqlite")
    command = [sys.executable, "-m", "lager_lite", "serve", "-m", str(model), "-r", "good.toml", "-t", "1"]
    with subprocess.Popen(
        [*command, "--port", "0", *options],
        cwd=folder,
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(url: str, token: str, body: object = BODY) -> tuple[int, object]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", "/score", json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_a_server_answers_what_score_writes_and_ends_when_it_is_told(tmp_path, tiny_model, short_rubric, run):
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(item) + "\n" for item in BODY["items"]))
    with serving(tmp_path, tiny_model, "--online") as server:
        url = server.stdout.readline().strip()
        token = (tmp_path / "config" / "lager-lite" / "serve.token").read_text().strip()
        status, found = ask(url, token)
        assert ask(url, "wrong")[0] == 401
        server.send_signal(signal.SIGTERM)
        printed, said = server.communicate(timeout=30)
    assert (status, server.returncode, printed) == (200, 143, "")
    assert token not in said and "serve.token, which was made now" in said, "the token is reached, and never printed"
    assert "Stopping: what waits is answered first" in said
    assert said.endswith(
        "Stopped by SIGTERM. What was evaluated is in the store, and is not evaluated again when somebody asks for it.\n"
    )
    assert "Fruit" not in said
    run("score", "in.jsonl", "-m", tiny_model, "-r", "good.toml", "-t", 1, "-o", "out.jsonl")
    assert found["rows"] == [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]


def test_a_server_that_was_killed_goes_on_with_its_token_and_store(tmp_path, tiny_model, short_rubric):
    answers = []
    for _ in range(2):
        with serving(tmp_path, tiny_model, "--online", "--token-file", "mine") as server:
            url = server.stdout.readline().strip()
            answers.append(ask(url, (tmp_path / "mine").read_text().strip()))
            server.send_signal(signal.SIGKILL)
            server.wait(30)
    assert answers[0] == answers[1]
    assert answers[0][0] == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "serve listens on a network socket: give --online too"),
        (["--online", "--no-token", "--token-file", "x"], "give --token-file or --no-token, not both"),
    ],
)
def test_what_does_not_fit_together_is_wrong_usage(run, tiny_model, options, message):
    done = run("serve", "-m", tiny_model, "-r", "good.toml", *options)
    assert (done.exit_code, message in done.output) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--no-token", "--host", "0.0.0.0"], "without a token a server may listen on loopback only, not on 0.0.0.0"),
        (["--no-token", "--host", "example.org"], "the host 'example.org' is no IP address"),
    ],
)
def test_where_it_may_not_listen_is_said_before_a_model_loads(run, options, message):
    done = run("serve", "-m", "none.gguf", "-r", "good.toml", "--online", "-t", 1, *options)
    assert (done.exit_code, message in done.output) == (1, True)
