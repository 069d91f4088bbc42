"""What the HTTP endpoint does under load, and when it is killed in the middle of it. A command:

    python -m tests.measure.serving
    python -m tests.measure.serving -m judge.gguf --clients 64 --requests 2000

A server is started as a process, and clients in threads ask it for scores, one request after the other. Among the
requests are malformed ones and such without the token or with a wrong one. When half of them are answered, the server is
killed (SIGKILL) and started again, with the same store, token and port; clients ask again until they are answered.
At the end it is stopped (SIGTERM). Every row is compared with the one that `Judge.score` gives for the
same item in this process, and every refusal with what it should say.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lager_lite.judging import Judge, judgment_row

TOKEN = "measured-with-this-token"
RUBRIC = "helpfulness"
_FRUITS = ("apple", "pear", "plum", "fig", "quince", "cherry", "medlar", "grape", "melon", "lemon")
MALFORMED: dict[str, tuple[bytes, int]] = {
    "half an object": (b'{"item": {"response": "x"', 400),
    "no UTF-8": (b'{"item": {"response": "\xff"}}', 400),
    "NaN": (b'{"item": {"response": NaN}}', 400),
    "a list": (b"[1, 2]", 400),
    "an unknown key": (b'{"item": {"response": "x"}, "rubrik": "x"}', 422),
    "an unknown rubric": (b'{"item": {"response": "x"}, "rubric": "/etc/passwd"}', 422),
    "no items": (b'{"items": []}', 422),
    "a wrong type": (b'{"items": {"response": "x"}}', 422),
    "too large": (b'{"item": {"response": "' + b"x" * (1 << 20) + b'"}}', 413),
}


@dataclass
class Seen:
    """What the clients saw.

    - `seconds`: how long each score took, from the first try to the answer, those over the kill left out.
    - `statuses`: how often each status came.
    - `wrong`: answers that are not what they should be, in words.
    - `differences`: the largest difference of a number of a row from the one of `Judge.score`, for each row.
    - `retries`: tries that the kill ended.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    differences: list[float] = field(default_factory=list)
    retries: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def items_of(count: int) -> list[dict[str, Any]]:
    """Short items that differ, several to each instruction."""
    made = []
    for n in range(count):
        a, b, c = (_FRUITS[(n * k + n // 10) % 10] for k in (1, 3, 7))
        instruction = f"Name {1 + n // 8 % 7} fruits that ripen in week {n // 8}."
        made.append({"id": f"i{n}", "instruction": instruction, "response": f"{a.title()}, {b} and {c} (answer {n})."})
    return made


class Serving:
    """A server process that can be killed and started again on its port."""

    def __init__(self, model: str | None, folder: Path) -> None:
        self._command = [sys.executable, "-m", "lager_lite", "serve", "--online", "-r", RUBRIC, "--max-body", "1"]
        self._command += ["-m", model] if model else []
        self._environment = {**os.environ, "LAGER_LITE_TOKEN": TOKEN, "LAGER_LITE_STORE": str(folder / "store.sqlite")}
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.start()

    def start(self) -> float:
        """Start, and return the seconds until it listens."""
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [*self._command, "--port", str(self.port)],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise SystemExit(self.process.communicate()[1].decode())
        return time.monotonic() - begun

    def kill(self) -> float:
        """Kill it in the middle of whatever it does, start it again, and return the seconds that this took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.start()
        return time.monotonic() - begun

    def end(self) -> tuple[int, float]:
        """Ask it to stop; returns its exit code and the seconds until it ended."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=120)
        return self.process.returncode, time.monotonic() - begun


class Asker:
    """One client, which keeps its connection."""

    def __init__(self, port: int, seen: Seen) -> None:
        self._port, self._seen = port, seen
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, body: bytes, token: str | None) -> tuple[int, Any]:
        """The status and the document of the answer, however often it takes; 429 and 503 are asked again, too."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        while True:
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
                self._connection.request("POST", "/score", body, headers)
                answer = self._connection.getresponse()
                status, text, after = answer.status, answer.read(), answer.headers.get("Retry-After")
            except (OSError, http.client.HTTPException):
                self._connection = None
                with self._seen.lock:
                    self._seen.retries += 1
                time.sleep(0.1)
                continue
            with self._seen.lock:
                self._seen.statuses[status] += 1
            if status not in (429, 503):
                return status, json.loads(text)
            time.sleep(float(after or 1))


def wanted_of(number: int, items: list[dict[str, Any]]) -> tuple[bytes, str | None, int, list[int]]:
    """The request of a number: its body, its token, the status that it should get and the items that it is about."""
    draw = random.Random(number)
    kind = draw.random()
    some = draw.sample(range(len(items)), 3 if kind > 0.95 else 1)
    body = json.dumps({"items": [items[one] for one in some]}).encode()
    if kind < 0.05:
        content, status = MALFORMED[sorted(MALFORMED)[number % len(MALFORMED)]]
        return content, TOKEN, status, []
    if kind < 0.1:
        return body, None if number % 2 else f"{TOKEN}x", 401, []
    return body, TOKEN, 200, some


def client(
    work: queue.Queue[int], items: list[dict[str, Any]], rows: list[dict[str, Any]], port: int, seen: Seen
) -> None:
    """Take requests from the queue until it is empty, and compare their answers."""
    asker = Asker(port, seen)
    while True:
        try:
            number = work.get_nowait()
        except queue.Empty:
            return
        body, token, status, some = wanted_of(number, items)
        begun, retries = time.monotonic(), seen.retries
        found, document = asker.ask(body, token)
        took = time.monotonic() - begun
        with seen.lock:
            if found != status or (status != 200) != ("error" in document):
                seen.wrong.append(f"request {number}: {found} {str(document)[:200]}, expected {status}")
            if status == 200 and found == 200:
                if retries == seen.retries:
                    seen.seconds.append(took)
                if [row["id"] for row in document["rows"]] != [rows[one]["id"] for one in some]:
                    seen.wrong.append(f"request {number}: rows of other items")
                seen.differences += [difference(row, rows[one]) for row, one in zip(document["rows"], some)]
        work.task_done()


def difference(row: dict[str, Any], wanted: dict[str, Any]) -> float:
    """The largest difference of two rows; infinite where they differ in anything but numbers."""
    numbers = [(row["probabilities"][label], p) for label, p in wanted["probabilities"].items()]
    numbers += [(row[key], value) for key, value in wanted.items() if isinstance(value, float)]
    same = all(row[key] == value for key, value in wanted.items() if not isinstance(value, (float, dict)))
    return max(abs(one - other) for one, other in numbers) if same and set(row) == set(wanted) else float("inf")


def measure(model: str | None, clients: int, requests: int, n_items: int, folder: Path) -> dict[str, Any]:
    """Run it all; returns the figures."""
    items = items_of(n_items)
    with Judge(model, rubric=RUBRIC) as judge:
        begun = time.monotonic()
        rows = [json.loads(json.dumps(judgment_row(one))) for one in judge.score(items)]
        alone = time.monotonic() - begun
    server, seen, work = Serving(model, folder), Seen(), queue.Queue[int]()
    for number in range(requests):
        work.put(number)
    begun = time.monotonic()
    threads = [threading.Thread(target=client, args=(work, items, rows, server.port, seen)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    while work.qsize() > requests // 2:
        time.sleep(0.01)
    away = server.kill()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun
    code, ended = server.end()
    return {
        "clients": clients,
        "requests": requests,
        "items": n_items,
        "seconds": round(took, 1),
        "requests_per_second": round(requests / took, 1),
        "seconds_of_one_list": round(alone, 1),
        "statuses": dict(sorted(seen.statuses.items())),
        "wrong": seen.wrong[:10],
        "rows": len(seen.differences),
        "rows_that_differ": sum(one > 0 for one in seen.differences),
        "largest_difference": max(seen.differences, default=0.0),
        "median_seconds": round(float(np.median(seen.seconds)), 3),
        "p95_seconds": round(float(np.quantile(seen.seconds, 0.95)), 3),
        "tries_that_the_kill_ended": seen.retries,
        "seconds_away": round(away, 2),
        "exit_code": code,
        "seconds_to_end": round(ended, 2),
    }


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-m", "--model")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--items", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(given.model, given.clients, given.requests, given.items, Path(folder))
    print(json.dumps(figures, indent=1))
    sys.exit(1 if figures["wrong"] or not figures["largest_difference"] < 1e-3 else 0)


if __name__ == "__main__":
    main()
