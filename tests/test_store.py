from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lager_lite.errors import StoreError
from lager_lite.records import Reading
from lager_lite.store import Store, context_key, default_path, reading_key


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
    with pytest.raises(StoreError, match="has version 9, this program knows 1"):
        Store(path)


def test_a_folder_in_the_place_of_the_store_is_one_clear_error(tmp_path):
    with pytest.raises(StoreError, match="cannot be used: unable to open database file"):
        Store(tmp_path)


def test_what_was_put_survives_a_kill(tmp_path):
    path = tmp_path / "s.sqlite"
    code = (
        "import sys, os, signal, numpy as np\n"
        "from lager_lite.store import Store\nfrom lager_lite.records import Reading\n"
        "s = Store(sys.argv[1])\nz = np.zeros((3, 2), np.float32)\n"
        "for i in range(50):\n"
        "    s.put([(i.to_bytes(16, 'big'), Reading(z, z, None, 1), b'c')], whole=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code, str(path)], env={**os.environ, "PYTHONPATH": str(root)}, check=False)
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
    assert default_path() == Path("/somewhere/else.sqlite")
