"""The store: layer logits by content, so that no prompt is ever evaluated twice.

The store is one SQLite file in WAL mode, which several processes may use. The key of a reading is a hash of
everything that changes its numbers and of nothing else: the backbone's fingerprint, the prompt's tokens, the
score tokens, flash attention, the types of the KV cache, the version of the library and the processor's instructions
that it uses. Resuming a run, fitting again and changing the weights therefore only look readings up. Readings are on
disk when `put` returns, so a killed process loses at most the batch in flight. Feedback that the judge wrote is kept in
the same way.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Advice, MisuseError, StoreError, StoreWarning
from ..records import Feedback, Reading
from .keys import Basis
from .schema import STORE_COLUMNS, open_database

_ELSEWHERE = Advice("name a store elsewhere with --store PATH", "open a Store elsewhere, or judge without one")


@dataclass(frozen=True)
class StoreInfo:
    """How much a store holds.

    - `path`: the file.
    - `readings`: the number of readings.
    - `bytes`: the size of the file, including its write-ahead log.
    - `models`: the number of distinct contexts (model and settings) among the readings.
    - `feedback`: the number of texts that the judge wrote.
    - `instructions`: how many readings each processor's instructions made, by their words; "" stands for those of
      earlier versions, which did not note it.
    """

    path: Path
    readings: int
    bytes: int
    models: int
    feedback: int = 0
    instructions: Mapping[str, int] = field(default_factory=dict)


class Store:
    """An open store. Use as a context manager. Threads may share it.

    - `optional`: whether work goes on where it cannot be written any more, for instance because the disk is full: a
      StoreWarning then says so once, and nothing is written from there on.

    A damaged store, or a file that is no store, is moved aside and a new store is begun; `notice` then says so and
    names the file. Raises StoreError where the file cannot be opened, read or written, and for a store of a newer
    version. After `close()` and in a forked process everything but `close()` raises MisuseError.
    """

    def __init__(self, path: str | Path, *, optional: bool = False) -> None:
        self._optional, self._given_up = optional, False
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._closed = False
        self.path = Path(path)
        self.notice = ""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the store's folder {self.path.parent} cannot be created: {error}", _ELSEWHERE) from error
        try:
            self._db = open_database(self.path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise self._wrap(error) from error
            self._move_aside()
            self._db = open_database(self.path)
        self._place = self._where()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if os.getpid() != self._process:
            return  # SQLite's locks are those of the process that opened the file.
        with self._lock:
            self._closed = True
            self._db.close()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; raises its errors as StoreError."""
        if os.getpid() != self._process:
            raise MisuseError(
                f"the store {self.path} was opened before this process was forked, and cannot be used in it",
                "open it in the new process",
            )
        with self._lock:
            if self._closed:
                raise MisuseError(f"the store {self.path} is closed", "open it again, or close it after its last use")
            try:
                yield self._db
            except sqlite3.DatabaseError as error:
                raise self._wrap(error) from error

    def get(self, keys: Sequence[bytes], *, states: int | None = None, whole: bool = False) -> dict[bytes, Reading]:
        """Return the stored readings among `keys`, by key.

        states: the number of states that are needed. Readings with fewer states are left out, and readings with more
        are cut. None: all states of the model are needed, so readings of a graph that ended early are left out.
        whole: the states themselves are needed, so readings without them are left out.
        """
        found: dict[bytes, Reading] = {}
        with self._open() as db:
            query = "SELECT key, states, whole, labels, tokens, mass, data FROM readings"
            for key, n, full, labels, tokens, mass, data in _rows_of(db, query, keys):
                if (full and (states is None or states <= n)) or (states is not None and states <= n):
                    found[key] = _decode(data, n, labels, tokens, mass, states)
            if whole:
                stored = _rows_of(db, "SELECT key, states, data FROM states", list(found))
                kept = {key: _decode_states(data, n) for key, n, data in stored}
                for key in list(found):
                    _attach(found, key, kept.get(key))
        return found

    def others(self, basis: Basis) -> dict[bytes, str]:
        """Return what is noted of the bases here that make the same readings in another way, by key; "" for a basis of a
        version that noted nothing."""
        with self._open() as db:
            known = ",".join("?" * len(basis.earlier))
            query = f"SELECT key, instructions FROM bases WHERE (others = ? OR key IN ({known})) AND key <> ? "
            query += "AND instructions <> ?"
            return dict(db.execute(query, (basis.others, *basis.earlier, basis.key, basis.noted)))

    def count(self, keys: Collection[bytes]) -> int:
        """Return how many of these readings are stored."""
        with self._open() as db:
            return sum(1 for _ in _rows_of(db, "SELECT key FROM readings", list(keys)))

    def note(self, basis: Basis) -> None:
        """Say what the readings are made by whose rows name its key."""
        query = "INSERT OR IGNORE INTO bases (key, others, instructions) VALUES (?,?,?)"
        self._write(query, [(basis.key, basis.others, basis.noted)])

    def put(self, rows: Iterable[tuple[bytes, Reading, bytes]], *, whole: bool, keep_states: bool = False) -> None:
        """Store (key, reading, context) rows in one transaction, and in a second one the states themselves.

        whole: the readings hold all states of the model. keep_states: the states are stored, too. A reading never replaces one with more states. Raises
        StoreError also where the file was moved or deleted, because what is put into it then is lost.
        """
        rows = list(rows)
        values = [
            (key, len(r.raw), int(whole), r.raw.shape[1], r.tokens, r.mass, _encode(r), context)
            for key, r, context in rows
        ]
        query = (
            "INSERT INTO readings (key, states, whole, labels, tokens, mass, data, context) VALUES (?,?,?,?,?,?,?,?) "
            "ON CONFLICT (key) DO UPDATE SET states=excluded.states, whole=excluded.whole, mass=excluded.mass, "
            "data=excluded.data WHERE excluded.states > readings.states"
        )
        self._write(query, values)
        if keep_states:
            query = (
                "INSERT INTO states (key, states, data, context) VALUES (?,?,?,?) ON CONFLICT (key) DO UPDATE SET "
                "states=excluded.states, data=excluded.data WHERE excluded.states > states.states"
            )
            whole_states = [(key, r.states, context) for key, r, context in rows if r.states is not None]
            self._write(query, [(key, len(s), s.astype("<f2").tobytes(), context) for key, s, context in whole_states])

    def get_feedback(self, keys: Sequence[bytes]) -> dict[bytes, Feedback]:
        """Return the stored feedback among `keys`, by key."""
        found: dict[bytes, Feedback] = {}
        with self._open() as db:
            stored = _rows_of(db, "SELECT key, text, drawn FROM feedback", keys)
            found.update((key, Feedback(text, drawn)) for key, text, drawn in stored)
        return found

    def put_feedback(self, rows: Iterable[tuple[bytes, Feedback, bytes]]) -> None:
        """Store (key, feedback, context) rows in one transaction; stored feedback is not replaced. Raises as `put`."""
        values = [(key, feedback.text, feedback.drawn, context) for key, feedback, context in rows]
        self._write("INSERT OR IGNORE INTO feedback (key, text, drawn, context) VALUES (?,?,?,?)", values)

    def _write(self, query: str, values: Sequence[tuple[object, ...]]) -> None:
        if self._given_up:
            return
        try:
            self._insert(query, values)
        except StoreError as error:
            if not self._optional:
                raise
            self._given_up = True
            warnings.warn(f"{error.message}; what follows is not stored", StoreWarning, stacklevel=2)

    def _insert(self, query: str, values: Sequence[tuple[object, ...]]) -> None:
        with self._open() as db, db:
            db.executemany(query, values)
        if self._place != self._where():
            raise StoreError(
                f"the store {self.path} is gone: it was deleted or replaced while it was in use",
                "put it back, or run again: a new store is begun, and what the old one held is evaluated again",
            )

    def info(self) -> StoreInfo:
        """Return how much is stored."""
        with self._open() as db:
            count, models = db.execute("SELECT count(*), count(DISTINCT context) FROM readings").fetchone()
            (feedback,) = db.execute("SELECT count(*) FROM feedback").fetchone()
            by_words = (
                "SELECT coalesce(instructions, ''), count(*) FROM readings "
                "LEFT JOIN bases ON bases.key = readings.context GROUP BY 1 ORDER BY 1"
            )
            instructions = dict(db.execute(by_words))
        beside = [self.path, self.path.with_name(self.path.name + "-wal")]
        size = sum(p.stat().st_size for p in beside if p.exists())
        return StoreInfo(self.path, count, size, models, feedback, instructions)

    def clear(self) -> int:
        """Delete every reading and all feedback; return how many readings there were."""
        with self._open() as db:
            with db:
                count = db.execute("DELETE FROM readings").rowcount
                db.execute("DELETE FROM feedback")
                db.execute("DELETE FROM states")
            db.execute("VACUUM")
        return count

    def merge(self, other: Store) -> int:
        """Copy the readings and feedback that this store lacks from `other`; return the number of readings copied."""
        before = self.info().readings
        with self._open() as db, other._open() as source:
            for table, columns in STORE_COLUMNS.items():
                names, marks = ", ".join(columns), ",".join("?" * len(columns))
                rows = source.execute(f"SELECT {names} FROM {table}")
                while part := rows.fetchmany(1000):
                    with db:
                        db.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", part)
        return self.info().readings - before

    def _where(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _move_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
        try:
            os.replace(self.path, aside)
            for suffix in ("-wal", "-shm"):
                beside = self.path.with_name(self.path.name + suffix)
                if beside.exists():
                    os.replace(beside, aside.with_name(aside.name + suffix))
        except OSError as error:
            raise StoreError(f"the store {self.path} is damaged and cannot be moved aside: {error}") from error
        self.notice = f"the store {self.path} is damaged; it was moved to {aside.name} and a new store was begun"

    def _wrap(self, error: sqlite3.DatabaseError) -> StoreError:
        text = str(error)
        if "malformed" in text or "not a database" in text:
            return StoreError(
                f"the store {self.path} is damaged: {text}",
                "run again: the file is then moved aside and a new store is begun; results so far are not affected",
            )
        remedies = {
            "full": "free some space, or ",
            "disk I/O": "check whether the disk is full, missing or damaged; or ",
            "readonly": "make the file and its folder writable, or ",
            "unable to open": "check that the folder exists and is writable; or ",
            "locked": "end the other process that writes to it, or ",
        }
        remedy = next((remedy for word, remedy in remedies.items() if word in text), "")
        return StoreError(f"the store {self.path} cannot be used: {text}", f"{remedy}{_ELSEWHERE}")


def _rows_of(db: sqlite3.Connection, query: str, keys: Sequence[bytes]) -> Iterator[Any]:
    """The rows of a query that have one of the keys, of which SQLite takes so many at a time."""
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        yield from db.execute(f"{query} WHERE key IN ({','.join('?' * len(part))})", part)


def _encode(reading: Reading) -> bytes:
    return np.stack([reading.raw, reading.norm]).astype("<f4").tobytes()


def _decode_states(data: bytes, n: int) -> np.ndarray:
    return np.frombuffer(data, dtype="<f2").reshape(n, -1)


def _attach(found: dict[bytes, Reading], key: bytes, states: np.ndarray | None) -> None:
    """Give a reading its states; it is taken out where they are missing or fewer than its layer logits."""
    needed = len(found[key].raw)
    if states is None or len(states) < needed:
        del found[key]
    else:
        found[key] = replace(found[key], states=states[:needed])


def _decode(data: bytes, n: int, labels: int, tokens: int, mass: float | None, states: int | None) -> Reading:
    array = np.frombuffer(data, dtype="<f4").reshape(2, n, labels)
    if states is not None and states < n:
        return Reading(raw=array[0, :states], norm=array[1, :states], mass=None, tokens=tokens)
    return Reading(raw=array[0], norm=array[1], mass=mass, tokens=tokens)
