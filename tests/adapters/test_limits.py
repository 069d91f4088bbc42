"""What a connection may send and how long it may take, how many there may be, and how the server stops."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lager_lite.adapters import Limits, Worker, connection
from lager_lite.adapters.worker import Ask
from tests.adapters.served import RUBRIC, TOKEN, head, rows_of, served, status_of

ITEM = {"id": "p", "instruction": "Name a fruit.", "response": "Plum."}


@pytest.fixture(scope="module")
def client(tiny_model):
    with served(tiny_model) as client:
        yield client


WRONG_HEADS = {
    "an address in pieces": (head("http://[::1", "Content-Length: 2") + b"{}", 404),
    "no address": (head("/scores", "Content-Length: 2") + b"{}", 404),
    "GET for POST": (head("/score", method="GET"), 405),
    "PUT": (head("/score", "Content-Length: 2", method="PUT") + b"{}", 405),
    "OPTIONS": (head("/score", method="OPTIONS"), 405),
    "POST for GET": (head("/health", "Content-Length: 0"), 405),
    "no type": (head("/score", "Content-Length: 2") + b"{}", 415),
    "a form": (head("/score", "Content-Type: text/plain", "Content-Length: 2") + b"{}", 415),
    "no length": (head("/score", "Content-Type: application/json") + b"{}", 411),
    "chunks": (head("/score", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 411),
    "chunks beside a length": (
        head("/score", "Content-Type: application/json", "Transfer-Encoding: chunked", "Content-Length: 2") + b"{}",
        411,
    ),
    "length of words": (head("/score", "Content-Type: application/json", "Content-Length: +2") + b"{}", 400),
    "length below zero": (head("/score", "Content-Type: application/json", "Content-Length: -2") + b"{}", 400),
    "two lengths": (
        head("/score", "Content-Type: application/json", "Content-Length: 2", "Content-Length: 9") + b"{}",
        400,
    ),
    "a large body": (head("/score", "Content-Type: application/json", "Content-Length: 99999999") + b"{}", 413),
    "a huge body": (head("/score", "Content-Type: application/json", "Content-Length: " + "9" * 40) + b"{}", 400),
    "a body of GET": (head("/health", "Content-Length: 2", method="GET") + b"{}", 400),
    "two hosts": (head("/health", "Host: localhost", method="GET"), 400),
    "a long line": (head("/" + "x" * 40_000, method="GET"), 431),
    "long headers": (head("/health", *["X-A: " + "x" * 1000] * 40, method="GET"), 431),
    "many headers": (head("/health", *["X-A: x"] * 120, method="GET"), 431),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 what\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /health\r\n\r\n", 505),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/9": (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505),
}


@pytest.mark.parametrize("name", WRONG_HEADS)
def test_a_wrong_head_is_refused_and_the_connection_closed_where_a_body_was_left(client, name):
    data, status = WRONG_HEADS[name]
    answer = client.raw(data, shut=True)
    assert status_of(answer) == status
    assert answer.count(b"HTTP/1.1 ") == 1
    document = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert document["error"]["message"]


def test_who_still_sends_reads_the_refusal(client):
    """Closed with bytes unread, the connection would be reset, and the answer lost on its way."""
    with client.opened() as open_:
        open_.sendall(head("/score", "Content-Type: application/json", "Content-Length: 99999999"))
        open_.sendall(b"x" * 300_000)
        time.sleep(0.3)
        open_.sendall(b"x" * 300_000)
        assert status_of(open_.recv(65536)) == 413


def test_a_connection_takes_many_requests(client):
    one = head("/score", "Content-Type: application/json", "Content-Length: 34")
    body = b'{"item":{"id":"p","response":"x"}}'
    answer = client.raw((one + body) * 2 + head("/health", "Connection: close", method="GET"))
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    old = head("/health", method="GET").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert b"Connection: close" in client.raw(old)


def test_a_body_that_is_no_json_leaves_the_connection_open(client):
    bad = head("/score", "Content-Type: application/json", "Content-Length: 3") + b"{]}"
    answer = client.raw(bad + bad + head("/health", "Connection: close", method="GET"))
    assert [answer.count(b"HTTP/1.1 400 "), answer.count(b"HTTP/1.1 200 ")] == [2, 1]


def test_a_body_may_wait_for_the_word_to_go_on(client):
    body = json.dumps({"item": ITEM}).encode()
    lines = (
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
        "Connection: close",
    )
    with client.opened() as open_:
        open_.sendall(head("/score", *lines))
        assert open_.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        open_.sendall(body)
        assert open_.recv(65536).startswith(b"HTTP/1.1 200 OK")
    large = head("/score", "Content-Type: application/json", "Content-Length: 99999999", "Expect: 100-continue")
    assert status_of(client.raw(large, shut=True)) == 413


def test_who_is_slow_is_answered_that_it_is_late(client, monkeypatch):
    monkeypatch.setattr(connection, "_HEAD", 0.3)
    monkeypatch.setattr(connection, "_IDLE", 0.5)
    assert status_of(client.raw(b"GET /health HTTP/1.1\r\nHost:")) == 408
    assert status_of(client.raw(head("/score", "Content-Type: application/json", "Content-Length: 50") + b"{")) == 408
    assert client.raw(b"") == b""
    with client.opened() as drip:
        start = time.monotonic()
        try:
            for _ in range(600):
                drip.sendall(b"X")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - start < 20


def busy_worker(worker: Worker) -> threading.Event:
    """Hold the worker until the event is set."""
    begun, go = threading.Event(), threading.Event()

    def answers(judge, items):
        begun.set()
        assert go.wait(30)
        return [None]

    worker.submit(Ask("hold", lambda judge: judge, answers, (1,), 1))
    assert begun.wait(30)
    return go


def test_a_list_that_can_never_be_let_in_is_refused_before_it_is_read(tiny_model):
    with served(tiny_model, most=50) as client:
        begun = time.monotonic()
        for path, key in (("/score", "items"), ("/pairs", "pairs")):
            status, found, _ = client.ask("POST", path, json.dumps({key: [{}] * 300_000}).encode())
            assert (status, found["error"]["message"].endswith("at most 50 may wait (send it in parts)")) == (413, True)
        assert time.monotonic() - begun < 10


def test_too_much_work_is_told_to_come_back(tiny_model):
    with served(tiny_model, most=2) as client:
        three = [{"response": str(n)} for n in range(3)]
        status, found, _ = client.score({"items": three})
        assert (status, found["error"]["message"]) == (
            413,
            "the request asks for 3 judgments, at most 2 may wait (send it in parts)",
        )
        go = busy_worker(client.endpoint.worker)
        status, found, told = client.score({"items": three[:2]})
        assert (status, found["error"]["type"]) == (429, "rate_limit_error")
        assert int(told["Retry-After"]) >= 1
        go.set()
        until(lambda: client.endpoint.worker.waiting == 0)
        assert client.score({"items": three[:2]})[0] == 200


def until(condition) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_too_many_connections_are_told_to_come_back(tiny_model):
    with served(tiny_model, limits=Limits(connections=2)) as client:
        held = [client.opened() for _ in range(2)]
        until(lambda: client.endpoint._open == 2)
        status, _, told = client.ask("GET", "/health")
        assert (status, told["Retry-After"]) == (503, "1")
        until(lambda: client.endpoint._open == 2)
        held += [client.opened() for _ in range(2)]
        until(lambda: client.endpoint._open == 4)
        with client.opened() as more:
            assert more.recv(10) == b""
        for one in held:
            one.close()
        until(lambda: client.endpoint._open == 0)
        assert client.ask("GET", "/health")[0] == 200


def test_what_nobody_waits_for_is_not_judged(tiny_model):
    with served(tiny_model) as client:
        worker = client.endpoint.worker
        go = busy_worker(worker)
        body = json.dumps({"item": ITEM}).encode()
        gone = client.opened()
        gone.sendall(head("/score", "Content-Type: application/json", f"Content-Length: {len(body)}") + body)
        while worker.waiting < 2:
            time.sleep(0.01)
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        gone.close()
        time.sleep(1.0)
        go.set()
        assert client.score({"item": ITEM})[0] == 200
        assert worker.done == 2


def test_a_server_that_stops_finishes_what_waits(tiny_model):
    with served(tiny_model) as client, ThreadPoolExecutor() as pool:
        go = busy_worker(client.endpoint.worker)
        asked = [pool.submit(client.score, {"item": {**ITEM, "id": n}}) for n in range(4)]
        while client.endpoint.worker.waiting < 5:
            time.sleep(0.01)
        threading.Timer(0.3, go.set).start()
        client.endpoint.stop(20)
        answers = [one.result() for one in asked]
        assert [status for status, _, _ in answers] == [200] * 4
        assert answers[2][1]["rows"] == rows_of(tiny_model, RUBRIC, {**ITEM, "id": 2})
        with pytest.raises(OSError):
            client.opened()


def test_a_server_that_must_stop_says_so(tiny_model):
    with served(tiny_model) as client, ThreadPoolExecutor() as pool:
        go = busy_worker(client.endpoint.worker)
        asked = pool.submit(client.score, {"item": ITEM})
        while client.endpoint.worker.waiting < 2:
            time.sleep(0.01)
        threading.Timer(0.5, go.set).start()
        client.endpoint.stop(0.1)
        status, found, told = asked.result()
        assert (status, found["error"]["type"], told["Connection"]) == (503, "server_error", "close")


def test_whatever_bytes_come_nothing_is_answered_wrongly(client, monkeypatch):
    """Requests with bytes changed, cut out and put twice: each is answered or closed, and none without its token."""
    monkeypatch.setattr(connection, "_LINGER", 0.05)
    body = json.dumps({"item": ITEM}).encode()
    whole = head("/score", "Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close") + body
    assert status_of(client.raw(whole)) == 200
    draw = random.Random(7)
    for _ in range(150):
        made = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            at, size = draw.randrange(len(made)), draw.choice((1, 1, 2, 8, 40))
            piece = made[at : at + size]
            made[at : at + size] = draw.choice((b"", bytes(piece) * 2, draw.randbytes(size), b"\r\n", b":", b"\0"))
        try:
            answer = client.raw(bytes(made), shut=True, timeout=10)
        except ConnectionError:
            continue  # closed while we still sent
        assert not answer or answer.startswith(b"HTTP/1.1 ")
        if answer:
            document, _ = json.JSONDecoder().raw_decode(answer.split(b"\r\n\r\n", 1)[1].decode())
            status = status_of(answer)
            assert ("error" in document) == (status != 200)
            assert status != 200 or f"Bearer {TOKEN}\r".encode().lower() in bytes(made).lower(), bytes(made)
    assert client.ask("GET", "/health")[0] == 200
