"""What waits is judged together, answers go to whom they belong, and one caller's trouble stays that caller's."""

from __future__ import annotations

import threading

import pytest

from lager_lite.adapters import Worker
from lager_lite.adapters.worker import Ask, BusyError, StoppingError, scoring
from lager_lite.errors import LagerError
from lager_lite.judging import Judge, under
from lager_lite.prompts import make_rubric
from lager_lite.records import Item
from tests.adapters.served import OPTIONS, RUBRIC

KIND = make_rubric("kind", "Is it kind?", scale="A-E", template="{sections} {criterion}")


@pytest.fixture(scope="module")
def judge(tiny_model):
    with Judge(tiny_model, rubric=RUBRIC, options=OPTIONS) as judge:
        yield judge


@pytest.fixture
def worker(judge):
    with Worker(judge, most=8) as worker:
        yield worker


def items(*names: str) -> list[Item]:
    return [Item(name, {"instruction": "Name a fruit.", "response": f"{name}."}) for name in names]


def blocker() -> tuple[Ask, threading.Event, threading.Event]:
    """An Ask that holds the worker until the second event is set; the first says that it began."""
    begun, go = threading.Event(), threading.Event()

    def answers(judge, items):
        begun.set()
        assert go.wait(30)
        return [None] * len(items)

    return Ask("blocker", lambda judge: judge, answers, (1,), 1), begun, go


def test_callers_get_their_own_judgments_of_one_batch(worker, judge, monkeypatch):
    ask, begun, go = blocker()
    calls: list[int] = []
    whole = Judge.judged
    monkeypatch.setattr(
        Judge, "judged", lambda self, items, **more: calls.append(len(items)) or whole(self, items, **more)
    )
    worker.submit(ask)
    assert begun.wait(30)
    futures = [worker.submit(scoring(None, items(name), 1)) for name in ("Plum", "Fig")]
    futures.append(worker.submit(scoring((RUBRIC, KIND), items("Pear", "Plum"), 2)))
    go.set()
    answers = [future.result(60) for future in futures]
    assert calls == [2, 2], "what two callers asked under one rubric was judged together"
    expected = [[tuple(judge.score(items(name)))] for name in ("Plum", "Fig")]
    both = list(under(judge, [RUBRIC, KIND]).score(items("Pear", "Plum")))
    assert answers == [*expected, [tuple(both[:2]), tuple(both[2:])]]


def test_an_ask_that_fails_fails_alone(worker):
    def broken(judge, items):
        if any(item.id == "Fig" for item in items):
            raise LagerError("no figs")
        return [item.id for item in items]

    ask, begun, go = blocker()
    worker.submit(ask)
    assert begun.wait(30)
    futures = [
        worker.submit(Ask("one", lambda judge: judge, broken, tuple(items(name)), 1))
        for name in ("Plum", "Fig", "Pear")
    ]
    go.set()
    assert [futures[0].result(30), futures[2].result(30)] == [["Plum"], ["Pear"]]
    with pytest.raises(LagerError, match="no figs"):
        futures[1].result(30)
    assert worker.submit(scoring(None, items("Plum"), 1)).result(30)


def test_a_long_ask_leaves_others_their_turns(worker, monkeypatch):
    monkeypatch.setattr("lager_lite.adapters.worker.TOGETHER", 2)
    ask, begun, go = blocker()
    worker.submit(ask)
    assert begun.wait(30)
    order: list[str] = []

    def answers(judge, items):
        order.extend(items)
        return [item.upper() for item in items]

    whole = Ask("echo", lambda judge: judge, answers, tuple("abcde"), 5)
    long, short = worker.submit(whole), worker.submit(Ask("echo", lambda judge: judge, answers, ("z",), 1))
    go.set()
    assert (long.result(30), short.result(30)) == (list("ABCDE"), ["Z"])
    assert order.index("z") < order.index("e")
    assert worker.waiting == 0


def test_answers_that_are_missing_are_an_error(worker):
    future = worker.submit(Ask("few", lambda judge: judge, lambda judge, items: [1], ("a", "b"), 2))
    with pytest.raises(RuntimeError, match="there are fewer answers than items"):
        future.result(30)


def test_too_much_is_told_to_come_back_and_what_is_cancelled_is_not_judged(worker):
    ask, begun, go = blocker()
    worker.submit(ask)
    assert begun.wait(30)
    waiting = worker.submit(scoring(None, items(*"abcdefg"), 1))
    with pytest.raises(BusyError, match="8 judgments are waiting, and at most 8 may") as caught:
        worker.submit(scoring(None, items("Plum"), 1))
    assert 1 <= caught.value.retry_after <= 60
    assert waiting.cancel()
    go.set()
    assert worker.submit(scoring(None, items("Plum"), 1)).result(30)
    assert (worker.done, worker.waiting) == (2, 0)


def test_closing_finishes_what_waits_or_says_that_it_stops(tiny_model):
    with Judge(tiny_model, rubric=RUBRIC, options=OPTIONS) as judge:
        with Worker(judge) as worker:
            future = worker.submit(scoring(None, items("Plum"), 1))
            worker.close(30)
            assert future.result(0)
            with pytest.raises(StoppingError):
                worker.submit(scoring(None, items("Plum"), 1))
        assert list(judge.score(items("Fig"))), "the judge of an idle worker stays open"


def test_the_judge_of_a_worker_that_does_not_end_is_closed(tiny_model):
    with Judge(tiny_model, rubric=RUBRIC, options=OPTIONS) as judge:
        worker = Worker(judge)
        ask, begun, go = blocker()
        worker.submit(ask)
        assert begun.wait(30)
        late = worker.submit(scoring(None, items("Plum"), 1))
        threading.Timer(0.5, go.set).start()
        worker.close(0.1)
        with pytest.raises(StoppingError, match="the server is stopping"):
            late.result(0)
        with pytest.raises(LagerError, match="closed"):
            list(judge.score(items("Fig")))
