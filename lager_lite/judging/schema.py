"""The tables of a store, and how a file of an older version becomes one of this version."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from ..errors import StoreError

# Entry i turns a store of version i into one of version i+1. A step is never changed; new ones are added.
_STEPS = (
    "CREATE TABLE IF NOT EXISTS readings (key BLOB PRIMARY KEY, states INTEGER NOT NULL, "
    "whole INTEGER NOT NULL, labels INTEGER NOT NULL, tokens INTEGER NOT NULL, mass REAL, "
    "data BLOB NOT NULL, context BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS feedback (key BLOB PRIMARY KEY, text TEXT NOT NULL, drawn INTEGER NOT NULL, "
    "context BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS states (key BLOB PRIMARY KEY, states INTEGER NOT NULL, data BLOB NOT NULL, "
    "context BLOB NOT NULL)",
    # The keys of older readings do not name the processor's instructions.
    "CREATE TABLE IF NOT EXISTS bases (key BLOB PRIMARY KEY, others BLOB NOT NULL, instructions TEXT NOT NULL)",
    "INSERT OR IGNORE INTO bases SELECT DISTINCT context, context, '' FROM readings",
)
STORE_VERSION = len(_STEPS)
STORE_COLUMNS = {
    "readings": ("key", "states", "whole", "labels", "tokens", "mass", "data", "context"),
    "feedback": ("key", "text", "drawn", "context"),
    "states": ("key", "states", "data", "context"),
    "bases": ("key", "others", "instructions"),
}
# Seconds to wait for another process to finish its write.
_PATIENCE = 60


def open_database(path: Path) -> sqlite3.Connection:
    """Open a store's file, and create or migrate its tables where needed; threads must take turns with it.

    Raises StoreError for a store of a newer version, and sqlite3.DatabaseError where the file cannot be opened or is
    not a store.
    """
    db = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
    try:
        _write_ahead(db)
        # With a write-ahead log, NORMAL loses nothing when the process is killed.
        db.execute("PRAGMA synchronous=NORMAL")
        found = _version(db)
        if found < STORE_VERSION:
            found = _migrate(db)
        if found > STORE_VERSION:
            raise StoreError(
                f"the store {path} has version {found}, this program knows {STORE_VERSION}",
                "update lager-lite, or name another store",
            )
        for table, columns in STORE_COLUMNS.items():
            db.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 1").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _write_ahead(db: sqlite3.Connection) -> None:
    """Turn on the write-ahead log.

    While another process turns it on, SQLite reports that the file is locked and does not wait, so this waits.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(0.02)


def _migrate(db: sqlite3.Connection) -> int:
    """Bring the file to the present version in one transaction, keeping what it holds; return its version."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        # Another process may have done this in the meantime, perhaps one with a newer version.
        found = _version(db)
        for step in _STEPS[found:]:
            db.execute(step)
        if found < STORE_VERSION:
            db.execute(f"PRAGMA user_version={STORE_VERSION}")
    return max(found, STORE_VERSION)
