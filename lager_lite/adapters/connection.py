"""One connection of the HTTP server: what it may send, how long it may take, and what it is answered.

A request is looked at in the order of what it costs: its head, the token, the address, the length of the body, and
only then the body. Every answer is JSON, errors in the form of OpenAI's API.
"""

from __future__ import annotations

import concurrent.futures
import io
import ipaddress
import json
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..errors import REQUEST, DataError, LagerError, MisuseError, PromptError, WeightsError, through
from .asks import Started
from .bodies import RequestError, parse_json
from .routes import Routes
from .secret import Token
from .worker import BusyError, StoppingError

LONGEST_HEAD = 1 << 15
"""The most bytes of a request's first line and headers together."""

_IDLE, _HEAD, _ANSWER, _LINGER = 30.0, 10.0, 30.0, 2.0
_SLOWEST = 1 << 14
_LOOK = 0.25


@dataclass(frozen=True)
class Limits:
    """What a server takes.

    - `body`: the most bytes of a request's body.
    - `connections`: the most connections that are answered at a time; as many again are told to come back later, and
      more are closed.
    """

    body: int = 8 << 20
    connections: int = 128


class Server(Protocol):
    """What a connection needs of its server (see `Endpoint`)."""

    routes: Routes
    token: Token | None
    limits: Limits
    stopping: bool

    def is_busy(self) -> bool:
        """Whether more connections are open than are answered."""
        ...

    def counted(self) -> AbstractContextManager[None]:
        """Count one request as active."""
        ...


class TooLongError(Exception):
    """More came than was allowed."""


class TimedSource(io.RawIOBase):
    """Reads a connection, at most `left` bytes, and until `end` (of time.monotonic).

    Reading raises TimeoutError and TooLongError.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.left, self.end = 0, 0.0

    def allow(self, size: int, seconds: float) -> None:
        """Allow `size` more bytes within `seconds`."""
        self.left, self.end = size, time.monotonic() + seconds

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come into `buffer`; returns the number of bytes, 0 at the end."""
        if self.left <= 0:
            raise TooLongError
        rest = self.end - time.monotonic()
        if rest <= 0:
            raise TimeoutError
        self._connection.settimeout(rest)
        found = self._connection.recv_into(memoryview(buffer)[: self.left])
        self.left -= found
        return found


class Connection(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "lager-lite", ""
    server: Server  # type: ignore[assignment]

    def setup(self) -> None:
        """Read through a TimedSource."""
        self.connection = self.request
        self._source = TimedSource(self.connection)
        self.rfile = io.BufferedReader(self._source)
        self.wfile = self.connection.makefile("wb", 0)
        self._unread = self._answered = False

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: what is judged here concerns nobody else."""

    def handle_expect_100(self) -> bool:
        """Wait with `100 Continue` until the request has been looked at."""
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the standard library found wrong with the first line or the headers."""
        status = 431 if code in (414, 431) else code
        self._refuse(RequestError(status, message or HTTPStatus(code).phrase, explain or ""))

    def handle_one_request(self) -> None:
        """Read one request and answer it; whatever goes wrong is answered, too, where somebody is left to read it."""
        self.close_connection = True
        self.requestline, self.request_version, self.command = "", "HTTP/1.1", ""
        self._answered = False
        try:
            self._source.allow(LONGEST_HEAD, _IDLE)
            begun = len(self.rfile.peek(1))  # type: ignore[attr-defined]
            if not begun:
                return
        except (TimeoutError, OSError):
            return
        try:
            with self.server.counted(), through(REQUEST):
                self._one_request(begun)
        except TooLongError:
            self._refuse(RequestError(431, f"the head of the request is longer than {LONGEST_HEAD} bytes"))
        except TimeoutError:
            self._refuse(RequestError(408, "the request did not come in time"))
        except OSError:
            self.close_connection = True  # the client is gone

    def _one_request(self, begun: int) -> None:
        """Read and answer a request of which `begun` bytes have come."""
        self._unread = True
        self._source.allow(LONGEST_HEAD - begun, _HEAD)
        self.raw_requestline = self.rfile.readline(LONGEST_HEAD)
        if not self.parse_request():
            return
        try:
            if self.request_version not in ("HTTP/1.0", "HTTP/1.1"):
                raise RequestError(505, "the protocol must be HTTP/1.1")
            self._check_head()
            path = self.path.partition("?")[0]
            if self.server.is_busy():
                raise RequestError(
                    503, "too many connections are open", "ask again later", headers={"Retry-After": "1"}
                )
            route = self.server.routes.find(self.command, path)
            body = parse_json(self._body()) if route.has_body else {}
            if not route.has_body:
                self._check_no_body()
            started = route.start(body)
            answers = self._answers(started)
            if answers is not None:
                self._send(200, started.document(answers))
        except (TooLongError, OSError):
            raise
        except LagerError as error:
            self._refuse(self._as_refusal(error))
        except Exception as error:
            # Without its message, which may quote what is judged.
            trace = "".join(traceback.format_tb(error.__traceback__))
            sys.stderr.write(f"Error while answering ({type(error).__name__}):\n{trace}")
            self._refuse(RequestError(500, "an error of the server", "its stderr says where"))

    def _check_head(self) -> None:
        """Raise RequestError for a request that is not for us, or without the token."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or not _is_own_name(hosts[0]):
            # A page of another site whose name was made to lead here sends the site's name.
            raise RequestError(400 if len(hosts) != 1 else 403, "the Host header must be an address or localhost")
        if self.headers.get("Origin") is not None:
            raise RequestError(403, "requests of web pages are not answered")
        token = self.server.token
        if token is not None and not token.fits(self.headers.get("Authorization")):
            raise RequestError(
                401,
                "the token is missing or wrong",
                "send the header Authorization: Bearer TOKEN",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _length(self) -> int:
        """The length of the body. Raises RequestError where it is not given, or too large."""
        if self.headers.get("Transfer-Encoding") is not None:
            raise RequestError(411, "the body comes in chunks", "send it whole, with Content-Length")
        given = self.headers.get_all("Content-Length") or []
        if not given:
            raise RequestError(411, "the request has no Content-Length")
        if len(given) > 1 or not (given[0].isascii() and given[0].isdigit() and len(given[0]) < 19):
            raise RequestError(400, "the Content-Length is no number")
        if int(given[0]) > self.server.limits.body:
            raise RequestError(413, f"the body has {int(given[0])} bytes, at most {self.server.limits.body} are read")
        return int(given[0])

    def _body(self) -> bytes:
        kind = self.headers.get_content_type()
        # The types that a web page may send to any address without asking are not among these.
        if self.headers.get("Content-Type") is None or kind != "application/json":
            raise RequestError(415, "the body is not JSON", "send the header Content-Type: application/json")
        length = self._length()
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._source.allow(1 << 62, _HEAD + length / _SLOWEST)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the client went away")
        self._unread = False
        return body

    def _check_no_body(self) -> None:
        """Raise RequestError where a body comes all the same: the next request would seem to begin with it."""
        if self.headers.get("Transfer-Encoding") or self.headers.get("Content-Length", "0") != "0":
            raise RequestError(400, "this address takes no body")
        self._unread = False

    def _answers(self, started: Started) -> Any:
        """Wait for the answers; None where the client went away meanwhile, and nobody waits for them any more."""
        while started.future is not None:
            try:
                return started.future.result(timeout=_LOOK)
            except concurrent.futures.TimeoutError:
                if self._is_gone():
                    started.future.cancel()
                    self.close_connection = True
                    return None
        return ()

    def _is_gone(self) -> bool:
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _as_refusal(self, error: LagerError) -> RequestError:
        """The status that says what went wrong."""
        if isinstance(error, RequestError):
            return error
        if isinstance(error, BusyError):
            headers = {"Retry-After": str(error.retry_after)}
            return RequestError(429, error.message, error.hint, code="rate_limit_exceeded", headers=headers)
        if isinstance(error, (StoppingError, MisuseError)):
            return RequestError(503, "the server is stopping", "ask again later", headers={"Retry-After": "5"})
        wrong_request = isinstance(error, (DataError, PromptError, WeightsError))
        return RequestError(422 if wrong_request else 500, error.message, error.hint)

    def _refuse(self, error: RequestError) -> None:
        kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
        kind = kinds.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error")
        text = f"{error.message} ({error.hint})" if error.hint else error.message
        told = {"message": text, "type": kind, "param": error.param, "code": error.code}
        if self._answered:
            self.close_connection = True  # the client did not take the answer
            return
        try:
            self._send(error.status, {"error": told}, error.headers)
            if self._unread:
                self._linger()
        except OSError:
            self.close_connection = True

    def _send(self, status: int, document: Any, headers: Mapping[str, str] | None = None) -> None:
        # Behind a body that was not read, and when the server stops, no other request is read.
        keeps = self.request_version == "HTTP/1.1" and not self._unread and not self.server.stopping
        self.close_connection = not keeps or "close" in getattr(self, "headers", {}).get("Connection", "").lower()
        content = json.dumps(document, allow_nan=False).encode()
        told = {"Content-Type": "application/json", "Content-Length": str(len(content)), "Cache-Control": "no-store"}
        told.update(headers or {}, **({"Connection": "close"} if self.close_connection else {}))
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            *(f"{name}: {value}" for name, value in told.items()),
        ]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
        self._answered = True
        self.connection.settimeout(_ANSWER)
        # In one piece: in two, the second would wait for the client to confirm the first.
        self.connection.sendall(head + (b"" if self.command == "HEAD" else content))

    def _linger(self) -> None:
        """Take what still comes for a moment: closed at once, the connection would lose the answer on its way."""
        end = time.monotonic() + _LINGER
        self.connection.shutdown(socket.SHUT_WR)
        while (rest := end - time.monotonic()) > 0:
            self.connection.settimeout(rest)
            if not self.connection.recv(1 << 16):
                return


def _is_own_name(host: str) -> bool:
    """Whether a Host header names this machine by an address, or as localhost, with or without a port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        return False
