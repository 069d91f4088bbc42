"""A judge that is used wrongly says so; it used to end the process, or to blame the model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lager_lite.errors import MisuseError, ModelFileError, PromptError
from lager_lite.judging.judge import Judge
from lager_lite.judging.store import Store
from lager_lite.llama.options import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.records import Item
from tests.effort import patience

ROOT = Path(__file__).resolve().parents[2]
LONG = os.environ.get("LAGER_LITE_LONG") == "1"
EXACT = BackendOptions.exact(threads=1)
SHORT = make_rubric("short", "Is it good?", template="{sections} {criterion}")
ITEMS = [Item(str(i), {"response": f"answer {i}"}) for i in range(4)]


@pytest.fixture
def judge(tiny_model):
    with Judge(tiny_model, rubric=SHORT, options=EXACT) as opened:
        yield opened


def test_a_score_that_is_read_after_the_end_is_refused(tiny_model):
    with Judge(tiny_model, rubric=SHORT, options=EXACT) as judge:
        lazy = judge.score(ITEMS)
    with pytest.raises(MisuseError) as caught:
        next(lazy)
    assert caught.value.message == "the judge is closed"
    assert "list(judge.score(items))" in caught.value.hint
    for use in (lambda: list(judge.score(ITEMS)), lambda: judge.encode(ITEMS[0], SHORT), judge.__enter__):
        with pytest.raises(MisuseError, match="^the judge is closed$"):
            use()
    judge.close()


def test_what_a_window_gave_is_yielded_after_the_end(judge):
    expected = list(judge.score(ITEMS))
    judge.window = 2
    lazy = judge.score(ITEMS)
    found = [next(lazy)]
    judge.close()
    found.append(next(lazy))
    assert found == expected[:2]
    with pytest.raises(MisuseError, match="^the judge is closed$"):
        next(lazy)


def test_a_progress_callback_cannot_score_but_close(judge):
    with pytest.raises(MisuseError, match="^the judge is in the middle of a batch$"):
        list(judge.score(ITEMS, progress=lambda _: list(judge.score(ITEMS[:1]))))
    with pytest.raises(MisuseError, match="^the judge is closed$"):
        list(judge.score(ITEMS, progress=lambda _: judge.close()))


def test_items_may_be_scored_while_they_are_read(judge):
    """Between windows nobody has the judge, so what feeds it may use it."""
    expected = [judgment.score for judgment in judge.score(ITEMS)]
    fed = judge.score(item for item in ITEMS if next(judge.score([item])).score is not None)
    # Company moves the sums of a stock library within what --exact promises.
    assert [judgment.score for judgment in fed] == pytest.approx(expected, abs=1e-4)


def test_a_closed_store_is_refused(tiny_model, tmp_path):
    store = Store(tmp_path / "s.sqlite")
    with Judge(tiny_model, rubric=SHORT, options=EXACT, store=store) as judge:
        store.close()
        store.close()
        with pytest.raises(MisuseError, match="s.sqlite is closed$"):
            list(judge.score(ITEMS))


def test_an_empty_list_of_rubrics_is_refused(tiny_model):
    with pytest.raises(PromptError) as caught:
        Judge(tiny_model, rubric=[])
    assert (caught.value.message, caught.value.hint) == (
        "the list of rubrics is empty",
        'name at least one, for instance rubric="default"',
    )


def test_without_a_model_it_takes_that_of_the_command_line(tiny_model, monkeypatch):
    monkeypatch.setenv("LAGER_LITE_MODEL", str(tiny_model))
    with Judge(rubric=SHORT, options=EXACT) as judge:
        assert judge.info.paths == (tiny_model,)
    with pytest.raises(ModelFileError, match="nobody/nothing"):
        Judge("hf:nobody/nothing", rubric=SHORT)


def test_random_misuse_never_ends_the_process_or_changes_a_score(tiny_model, tmp_path):
    """Short: 12 sequences of a dozen uses; LAGER_LITE_LONG=1: 500 (4 minutes)."""
    pytest.importorskip("resource", reason="forks and signals of POSIX")
    count = 500 if LONG else 12
    command = [sys.executable, "-m", "tests.judging.misuse", str(tiny_model), str(tmp_path), "0", str(count)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=patience(60 + 10 * count),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    for kind in ("score", "begin: refused", "nested: refused", "thread", "thread: refused", "fork"):
        assert found["counts"].get(kind, 0) > 0, found["counts"]
