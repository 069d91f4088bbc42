"""A server on a tiny model inside this process, and a client that says exactly what it sends."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lager_lite.adapters import Endpoint, Limits, Token, Worker
from lager_lite.errors import REQUEST, through
from lager_lite.judging import Judge, judgment_row
from lager_lite.llama import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.scoring import WeightsFile

TOKEN = "a-token-of-more-than-16-signs"
RUBRIC = make_rubric("good", "Is it good?", template="{sections} {criterion}")
OPTIONS = BackendOptions.exact(threads=1)


class Client:
    """Asks one server.

    - `endpoint`: the server.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.host, self.port = "127.0.0.1", int(endpoint.server_address[1])

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """The status, the document and the headers of an answer; body: a JSON value, or bytes as they are."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body=content, headers=sent)
            found = connection.getresponse()
            return found.status, json.loads(found.read()), dict(found.getheaders())
        finally:
            connection.close()

    def score(self, body: Any, **more: Any) -> tuple[int, Any, dict[str, str]]:
        return self.ask("POST", "/score", body, **more)

    def complete(self, body: Any, **more: Any) -> tuple[int, Any, dict[str, str]]:
        return self.ask("POST", "/v1/chat/completions", body, **more)

    def raw(self, data: bytes, *, shut: bool = False, timeout: float = 30) -> bytes:
        """All that comes back for some bytes, until the server closes; shut: whether nothing more is sent."""
        with self.opened(timeout) as connection:
            connection.sendall(data)
            if shut:
                connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)

    def opened(self, timeout: float = 30) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=timeout)


@contextmanager
def served(
    model: Path,
    *,
    rubric: Any = RUBRIC,
    weights: WeightsFile | None = None,
    token: str | None = TOKEN,
    limits: Limits = Limits(),
    most: int = 4096,
) -> Iterator[Client]:
    """A server that ends with the block."""
    with Judge(model, rubric=rubric, weights=weights, options=OPTIONS) as judge, Worker(judge, most=most) as worker:
        given = Token(token, None, False) if token is not None else None
        with Endpoint(worker, token=given, port=0, limits=limits) as endpoint:
            yield Client(endpoint)


def head(path: str = "/score", *lines: str, method: str = "POST", token: str | None = TOKEN) -> bytes:
    """The head of a request, with these lines beside the Host and the token."""
    own = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"] + ([f"Authorization: Bearer {token}"] if token else [])
    return ("\r\n".join([*own, *lines]) + "\r\n\r\n").encode()


def status_of(answer: bytes) -> int:
    """The status of the first answer in some bytes."""
    return int(answer.split(b" ", 2)[1])


def rows_of(model: Path, rubric: Any, *items: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The rows that `score` writes of some items, with the words of a request."""
    with through(REQUEST), Judge(model, rubric=rubric, options=OPTIONS) as judge:
        return json.loads(json.dumps([judgment_row(one, **more) for one in judge.score(list(items))]))
