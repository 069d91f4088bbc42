"""A machine on which nothing can be kept: no home folder, one that cannot be written, or a disk that is full."""

from __future__ import annotations

import json
import warnings

import pytest

from lager_lite import Store
from lager_lite.errors import StoreError, StoreWarning
from lager_lite.records import Feedback

pwd = pytest.importorskip("pwd", reason="homes of POSIX")
ITEMS = "".join(json.dumps({"id": n, "response": f"text {n}"}) + "\n" for n in range(3))


@pytest.fixture
def score(run, tmp_path, monkeypatch, tiny_model):
    """Scores three items, with the guard on; nothing says where the store is."""
    for name in ("LAGER_LITE_STORE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LAGER_LITE_CONFIG", "LAGER_LITE_GUARD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "in.jsonl").write_text(ITEMS)
    return lambda *more: run("score", "in.jsonl", "-m", tiny_model, "-r", "good.toml", "-t", 1, *more)


def no_entry(user: int) -> None:
    raise KeyError(user)


@pytest.mark.parametrize("home", ["none", "/dev/null/home"])
def test_a_run_goes_on_without_a_store_where_there_is_no_place_for_one(score, run, tiny_model, monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    if home == "none":
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", no_entry)
    done = score()
    assert done.exit_code == 0 and len(done.stdout.splitlines()) == 3
    (told,) = [line for line in done.stderr.splitlines() if "store, and" in line]
    assert told.startswith("Warning: ") and told.endswith(
        "this run goes on without a store, and cannot be resumed (--store PATH names one)"
    )
    for command in (["doctor", "-m", tiny_model, "--no-trial"], ["models", "list"]):
        assert run(*command).exit_code == 0


def test_a_store_that_was_named_must_be_there(score, monkeypatch):
    assert score("--store", "/dev/null/s.sqlite").exit_code == 1
    monkeypatch.setenv("LAGER_LITE_STORE", "/dev/null/s.sqlite")
    done = score()
    assert done.exit_code == 1 and "Error: the store's folder /dev/null" in done.stderr


def test_an_optional_store_that_is_full_is_given_up_with_one_warning(tmp_path):
    def filled(optional: bool) -> Store:
        store = Store(tmp_path / f"{optional}.sqlite", optional=optional)
        store.put_feedback([(b"first", Feedback("short", 1), b"")])
        store._db.execute("PRAGMA max_page_count=1")
        return store

    large = [(b"large", Feedback("long " * 100_000, 1), b"")]
    with filled(False) as store, pytest.raises(StoreError, match="disk is full"):
        store.put_feedback(large)
    with filled(True) as store:
        with pytest.warns(StoreWarning, match="disk is full; what follows is not stored"):
            store.put_feedback(large)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            store.put_feedback(large)
        assert store.get_feedback([b"first", b"large"]) == {b"first": Feedback("short", 1)}
