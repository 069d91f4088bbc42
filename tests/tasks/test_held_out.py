"""Two responses are ordered by a fit that has seen neither their instruction nor the system of either of them."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import DataError, FitError
from lager_lite.records import Item
from lager_lite.tasks import held_out
from lager_lite.tasks.held_out import cells_of, right_without
from lager_lite.tasks.pairs import pairs_of, preferences
from lager_lite.tasks.ranking import Responses, names_to_hold_out

SYSTEMS, CONTESTS = 6, 16


def answers(*, of_system, seed=0):
    """Every system answers every instruction; the states know which system it was, or how good the response is."""
    rng = np.random.default_rng(seed)
    contest, system = (each.reshape(-1) for each in np.indices((CONTESTS, SYSTEMS)))
    quality = rng.normal(size=SYSTEMS)[system] + 0.5 * rng.normal(size=system.size)
    logits = 0.3 * rng.normal(size=(system.size, 1, 6, 5))
    known = rng.normal(size=(SYSTEMS, 6))[system] if of_system else quality[:, None] * np.ones(6)
    logits[:, 0] += known[:, :, None] * np.linspace(-1.0, 1.0, 5)
    grade = np.round(quality, 1)
    return Responses(
        items=tuple(
            Item(str(n), {"instruction": f"q{c}", "response": f"r{n}", "system": f"s{s}"})
            for n, (c, s) in enumerate(zip(contest, system))
        ),
        contest=contest,
        group=np.array([f"g{c}" for c in contest]),
        grade=grade,
        grades=grade[:, None],
        scores={"e_score": rng.normal(size=system.size)},
        raw=logits.astype(np.float32),
        norm=logits.astype(np.float32),
        values=np.arange(1.0, 6.0),
        failed=(),
    )


@pytest.fixture(autouse=True)
def _few_splits(monkeypatch):
    monkeypatch.setattr(held_out, "SPLITS", 2)


def test_every_comparison_is_in_one_cell_that_sees_neither_side():
    group, name = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 0, 1, 2])
    better, worse = np.array([0, 2, 1, 5]), np.array([1, 0, 2, 4])
    cells = [(cell.asked.tolist(), np.flatnonzero(cell.seen).tolist()) for cell in cells_of(group, name, better, worse)]
    assert cells == [
        ([True, True, False, False], [5]),
        ([False, False, True, False], [3, 5]),
        ([False, False, False, True], [0]),
    ]


def test_no_fit_sees_a_group_or_a_system_of_what_it_orders(monkeypatch):
    data, seen = answers(of_system=True), []
    names = names_to_hold_out(data.items, "system")

    class Spy:
        def fit(self, x, human, groups):
            seen.append((set(groups), set(names[x["row"]])))
            assert human.min() == 1.0 and human.max() == 5.0  # the best and the worst of those that are left
            return self

        def predict(self, x):
            assert not seen[-1][0] & set(data.group[x["row"]]) and not seen[-1][1] & set(names[x["row"]])
            return data.grade[x["row"]]

    monkeypatch.setattr(held_out, "_methods", lambda *_: {"spy": (Spy(), {"row": np.arange(len(names))})})
    found = right_without(data, *pairs_of(data), names=names, folds=3)["spy"]
    assert len(found) == 2 and all((right == 1.0).all() for right in found)
    assert {len(systems) for _, systems in seen} <= {3, 4, 5} and len(seen) > 2 * 3 * 9


@pytest.mark.parametrize("of_system", [True, False])
def test_weights_that_know_the_system_alone_order_no_responses_of_others(of_system):
    data = answers(of_system=of_system)
    accuracy = [
        {m.method: m.accuracy for m in preferences(data, folds=3, hold_out=field, kinds=["full"], resamples=50).methods}
        for field in (None, "system")
    ]
    assert accuracy[0]["full"] > 0.7
    assert accuracy[1]["full"] < 0.6 if of_system else accuracy[1]["full"] > 0.9


def test_what_is_held_out_is_said_in_place_of_the_warning():
    data, said = answers(of_system=False), "can learn who wrote a response in place of how good it is"
    plain, apart = (preferences(data, folds=3, hold_out=field, kinds=(), resamples=50) for field in (None, "system"))
    assert any(said in one and "system" in one for one in plain.notes) and not any(said in one for one in apart.notes)
    assert (plain.held_out, apart.held_out) == (None, "system") and apart.to_dict()["held_out"] == "system"
    assert [m.method for m in apart.methods] == [m.method for m in plain.methods]


def test_three_systems_and_responses_without_one_are_refused():
    items = [Item(str(n), {"system": f"s{n % 3}"}) for n in range(6)]
    with pytest.raises(FitError, match="'system' has 3 values: both responses of a comparison are held out") as caught:
        names_to_hold_out(items, "system")
    assert caught.value.hint == "give responses of 4 or more"
    with pytest.raises(DataError, match="'system' cannot be held out: it is missing in 1 of 7 items"):
        names_to_hold_out([*items, Item("7", {"response": "r"})], "system")
