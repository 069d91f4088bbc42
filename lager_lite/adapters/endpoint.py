"""The HTTP server: who may connect, how many at a time, and how it stops."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from ..errors import LagerError
from .connection import Connection, Limits
from .routes import Routes
from .secret import Token
from .worker import Worker

PORT = 8377
"""The port that a server without --port listens on."""

_POLL = 0.1


class Endpoint(ThreadingMixIn, TCPServer):
    """Listens on an address and answers with what a Worker judges; a context manager, which begins and ends it.

    - `host`: an IP address.
    - `port`: the port; 0 takes a free one (see `url`).
    - `token`: what requests must bring. None answers everybody, which is allowed on loopback only.

    Raises LagerError where it cannot listen there.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self,
        worker: Worker,
        *,
        token: Token | None,
        host: str = "127.0.0.1",
        port: int = PORT,
        limits: Limits = Limits(),
    ) -> None:
        address = address_to_listen_on(host, token)
        self.worker, self.token, self.limits = worker, token, limits
        self.routes = Routes(worker)
        self.stopping = False
        self._open = self._active = 0
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        try:
            super().__init__((host, port), Connection)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise LagerError(f"cannot listen on {host}, port {port}: {reason}", "choose another port") from None
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL,), daemon=True, name="endpoint")

    @property
    def url(self) -> str:
        """Where it is, for instance http://127.0.0.1:8377."""
        host, port = self.server_address[0], self.server_address[1]
        return (
            f"http://[{str(host)}]:{port}" if self.address_family == socket.AF_INET6 else f"http://{str(host)}:{port}"
        )

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(0.0)

    def stop(self, patience: float) -> None:
        """Take no new connections and requests, and finish those that wait within `patience` seconds.

        What waits longer is answered that the server is stopping.
        """
        if self.stopping:
            return
        self.stopping = True
        end = time.monotonic() + patience
        self.shutdown()
        self.server_close()
        self.worker.close(patience)
        # The last answers are on their way.
        while self._active and time.monotonic() < end + 1.0:
            time.sleep(0.01)

    def is_busy(self) -> bool:
        """Whether more connections are open than are answered."""
        return self._open > self.limits.connections

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one request as active."""
        with self._lock:
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether a new connection is served at all."""
        return self._open < 2 * self.limits.connections

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        with self._lock:
            self._open += 1
        try:
            super().process_request(request, client_address)
        except BaseException:
            with self._lock:
                self._open -= 1
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the standard library does, and count the connection as closed."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write nothing: a connection that broke is the client's, and errors of ours are written where they are answered."""


def address_to_listen_on(host: str, token: Token | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address that `host` names, which must be loopback without a token.

    Raises LagerError where it is no IP address, or may not be listened on.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise LagerError(f"the host {host!r} is no IP address", "for instance 127.0.0.1") from None
    if token is None and not address.is_loopback:
        raise LagerError(f"without a token a server may listen on loopback only, not on {host}", "let it have a token")
    return address
