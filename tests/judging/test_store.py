from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lager_lite.errors import StoreError
from lager_lite.judging.keys import context_key, reading_key
from lager_lite.judging.store import Store
from lager_lite.records import Feedback, Reading
from lager_lite.system import store_path


def reading(states=3, labels=2, start=0.0, mass=0.5):
    raw = (np.arange(states * labels, dtype=np.float32) + start).reshape(states, labels)
    return Reading(raw=raw, norm=raw + 100, mass=mass, tokens=7)


def test_a_reading_comes_back_as_it_was_put(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        store.put([(b"a" * 16, reading(), b"c")], whole=True)
    with Store(tmp_path / "s.sqlite") as store:
        got = store.get([b"a" * 16, b"b" * 16])
        assert list(got) == [b"a" * 16]
        found = got[b"a" * 16]
        np.testing.assert_array_equal(found.raw, reading().raw)
        np.testing.assert_array_equal(found.norm, reading().norm)
        assert (found.mass, found.tokens) == (0.5, 7)
        assert store.info().readings == 1


def test_a_short_reading_serves_short_requests_and_never_replaces_a_long_one(tmp_path):
    key = b"k" * 16
    with Store(tmp_path / "s.sqlite") as store:
        store.put([(key, reading(2, mass=None), b"c")], whole=False)
        assert store.get([key]) == {}
        assert store.get([key], states=3) == {}
        assert store.get([key], states=1)[key].raw.tolist() == [[0, 1]]
        store.put([(key, reading(3), b"c")], whole=True)
        assert store.get([key])[key].mass == 0.5
        store.put([(key, reading(2, mass=None), b"c")], whole=False)
        assert len(store.get([key])[key].raw) == 3
        assert store.get([key], states=2)[key].mass is None


def test_the_key_depends_on_tokens_score_tokens_and_context():
    a, b = context_key(model="m", flash="on"), context_key(model="m", flash="off")
    keys = {
        reading_key(a, np.array([1, 2]), [3]),
        reading_key(b, np.array([1, 2]), [3]),
        reading_key(a, np.array([2, 1]), [3]),
        reading_key(a, np.array([1]), [2, 3]),
    }
    assert len(keys) == 4
    assert context_key(flash="on", model="m") == a


def test_a_damaged_store_is_moved_aside_not_emptied(tmp_path):
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"no database at all, but somebody's file" * 40)
    with Store(path) as store:
        assert store.info().readings == 0
        assert "is damaged; it was moved to s.sqlite.damaged-" in store.notice
    (aside,) = tmp_path.glob("s.sqlite.damaged-*")
    assert aside.read_bytes().startswith(b"no database at all")


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "s.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=9")
    db.close()
    with pytest.raises(StoreError, match="has version 9, this program knows 5"):
        Store(path)


VERSION_1 = (
    "CREATE TABLE readings (key BLOB PRIMARY KEY, states INTEGER NOT NULL, whole INTEGER NOT NULL, labels INTEGER NOT NULL, "
    "tokens INTEGER NOT NULL, mass REAL, data BLOB NOT NULL, context BLOB NOT NULL)"
)


def version_1(path):
    """A store as version 1 wrote it, with one reading, left open as by a process that still runs."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    data = np.stack([reading().raw, reading().norm]).astype("<f4").tobytes()
    with db:
        db.execute(VERSION_1)
        db.execute("INSERT INTO readings VALUES (?,?,?,?,?,?,?,?)", (b"a" * 16, 3, 1, 2, 7, 0.5, data, b"c"))
        db.execute("PRAGMA user_version=1")
    return db


def test_a_store_of_version_1_is_brought_up_to_date_and_loses_nothing(tmp_path):
    path = tmp_path / "s.sqlite"
    old = version_1(path)
    with Store(path) as store:
        np.testing.assert_array_equal(store.get([b"a" * 16])[b"a" * 16].norm, reading().norm)
        assert store.notice == ""
        store.put_feedback([(b"f" * 16, Feedback("well written", 3), b"c")])
        # The older process goes on writing what it knows, and the newer one sees it.
        row = old.execute("SELECT * FROM readings").fetchone()
        with old:
            old.execute("INSERT INTO readings VALUES (?,?,?,?,?,?,?,?)", (b"b" * 16, *row[1:]))
        assert (store.info().readings, store.info().feedback) == (2, 1)
    old.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (5,)
    db.close()


def test_a_migration_that_fails_leaves_version_1(tmp_path, monkeypatch):
    import lager_lite.judging.schema as module

    path = tmp_path / "s.sqlite"
    version_1(path).close()
    monkeypatch.setattr(module, "_STEPS", (*module._STEPS, "CREATE TABLE nonsense nonsense"))
    monkeypatch.setattr(module, "STORE_VERSION", 6)
    with pytest.raises(StoreError, match="cannot be used"):
        Store(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")] == ["readings"]
    db.close()


def test_several_processes_may_open_an_old_store_at_once(tmp_path):
    path = tmp_path / "s.sqlite"
    version_1(path).close()
    code = (
        "import sys\nfrom lager_lite.judging.store import Store\nfrom lager_lite.records import Feedback\n"
        "with Store(sys.argv[1]) as s:\n"
        "    s.put_feedback([(sys.argv[2].encode() * 16, Feedback(sys.argv[2], 1), b'c')])\n"
    )
    root = Path(__file__).resolve().parents[2]
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(path), n], env={**os.environ, "PYTHONPATH": str(root)})
        for n in "123"
    ]
    assert [p.wait() for p in started] == [0, 0, 0]
    with Store(path) as store:
        assert {f.text for f in store.get_feedback([n * 16 for n in (b"1", b"2", b"3")]).values()} == set("123")
        assert store.info().readings == 1


def test_many_may_open_a_new_store_at_the_same_moment(tmp_path):
    """SQLite does not wait for another that turns on the write-ahead log: one in five of these failed."""
    for n in range(30):
        gate = threading.Barrier(8)

        def open_it(n=n, gate=gate):
            gate.wait()
            with Store(tmp_path / f"{n}.sqlite") as store:
                return store.info().readings

        with ThreadPoolExecutor(8) as pool:
            assert [done.result() for done in [pool.submit(open_it) for _ in range(8)]] == [0] * 8


def test_feedback_comes_back_stays_and_is_merged_and_cleared(tmp_path):
    with Store(tmp_path / "a") as a, Store(tmp_path / "b") as b:
        a.put_feedback([(b"1" * 16, Feedback("gut gemacht, 好", 5), b"c")])
        a.put_feedback([(b"1" * 16, Feedback("something else", 9), b"c")])
        b.put_feedback([(b"2" * 16, Feedback("", 1), b"c")])
        assert a.merge(b) == 0
        assert a.get_feedback([b"1" * 16, b"2" * 16, b"3" * 16]) == {
            b"1" * 16: Feedback("gut gemacht, 好", 5),
            b"2" * 16: Feedback("", 1),
        }
        a.clear()
        assert a.info().feedback == 0


def test_a_folder_in_the_place_of_the_store_is_one_clear_error(tmp_path):
    with pytest.raises(StoreError, match="cannot be used: unable to open database file"):
        Store(tmp_path)


def test_what_was_put_survives_a_kill(tmp_path):
    path = tmp_path / "s.sqlite"
    code = (
        "import sys, os, signal, numpy as np\n"
        "from lager_lite.judging.store import Store\nfrom lager_lite.records import Reading\n"
        "s = Store(sys.argv[1])\nz = np.zeros((3, 2), np.float32)\n"
        "for i in range(50):\n"
        "    s.put([(i.to_bytes(16, 'big'), Reading(z, z, None, 1), b'c')], whole=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    with Store(path) as store:
        assert store.info().readings == 50


def test_merge_adds_what_is_missing(tmp_path):
    with Store(tmp_path / "a") as a, Store(tmp_path / "b") as b:
        a.put([(b"1" * 16, reading(), b"c")], whole=True)
        b.put([(b"1" * 16, reading(start=5), b"c"), (b"2" * 16, reading(), b"c")], whole=True)
        assert a.merge(b) == 1
        assert a.get([b"1" * 16])[b"1" * 16].raw[0, 0] == 0
        assert a.clear() == 2


def test_the_environment_names_the_store(monkeypatch):
    monkeypatch.setenv("LAGER_LITE_STORE", "/somewhere/else.sqlite")
    assert store_path() == Path("/somewhere/else.sqlite")
