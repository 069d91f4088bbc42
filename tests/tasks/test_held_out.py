"""Two responses are ordered by a fit that has seen neither their instruction nor the system of either of them."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.data import Pair
from lager_lite.errors import DataError, FitError
from lager_lite.fitting.folds import fold_cells
from lager_lite.records import Item
from lager_lite.scoring import unlabelled_weights
from lager_lite.tasks import held_out
from lager_lite.tasks.comparing import Compared, Evidence
from lager_lite.tasks.held_out import cells_of, right_without, systems_to_hold_out
from lager_lite.tasks.pair_figures import pair_figures
from lager_lite.tasks.pairs import pairs_of, preferences
from lager_lite.tasks.ranking import Responses, names_to_hold_out

pair_figures_module = importlib.import_module("lager_lite.tasks.pair_figures")
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
    with pytest.raises(FitError, match="'system' has 3 values: both of a comparison are held out") as caught:
        names_to_hold_out(items, "system")
    assert caught.value.hint == "give responses of 4 or more, or hold nothing out"
    with pytest.raises(DataError, match="'system' cannot be held out: it is missing in 1 of 7 items"):
        names_to_hold_out([*items, Item("7", {"response": "r"})], "system")


def sided(*, of_system, seed=0):
    """Pairs of different systems, whose evidence knows which systems they are, or which response is better."""
    rng = np.random.default_rng(seed)
    rows = [(c, a, b) for c in range(12) for a in range(SYSTEMS) for b in range(a)]
    level, known = rng.normal(size=SYSTEMS), rng.normal(size=(SYSTEMS, 6))
    gap = np.array([level[a] - level[b] for _, a, b in rows]) + 0.3 * rng.normal(size=len(rows))
    pairs = tuple(
        Pair(f"p{n}", {"instruction": f"q{c}"}, ("a", f"b{n}"), (f"s{a}", f"s{b}"), float(gap[n] > 0), f"g{c}")
        for n, (c, a, b) in enumerate(rows)
    )
    told = np.array([known[a] - known[b] for _, a, b in rows]) if of_system else gap[:, None] * np.ones(6)
    x = (told[:, :, None] * np.array([-0.5, 0.5]) + 0.2 * rng.normal(size=(len(rows), 6, 2))).astype(np.float32)
    one = Evidence(x, x)
    weights, mass = unlabelled_weights(6), np.ones((len(rows), 2))
    return Compared(pairs, np.arange(len(rows)), {}, (one, one), mass, np.array([0.0, 1.0]), weights, "good", False, 6)


def test_pairs_are_fitted_without_either_system_whichever_place_it_stands_in():
    fold = np.array([[0, 0, 1, 1, 1, 1], [0, 1, 2, 2, 0, 3], [1, 0, 3, 1, 3, 2]])
    cells = [(np.flatnonzero(asked).tolist(), np.flatnonzero(fit).tolist()) for asked, fit in fold_cells(fold)]
    assert cells == [([0, 1], [2, 5]), ([4], []), ([3], []), ([2, 5], [0, 1])]


@pytest.mark.parametrize("of_system", [True, False])
def test_weights_of_pairs_that_know_the_systems_alone_say_nothing_of_others(of_system, monkeypatch):
    monkeypatch.setattr(pair_figures_module, "SPLITS", 1)
    data = sided(of_system=of_system)
    plain, apart = (
        pair_figures(data, folds=3, hold_out=hold_out, kinds=["signed"], resamples=50) for hold_out in (False, True)
    )
    right = [next(m.accuracy.accuracy for m in one.methods if m.accuracy.method == "signed") for one in (plain, apart)]
    assert right[0] > 0.75 and (right[1] < 0.65 if of_system else right[1] > 0.85)
    assert (plain.held_out, apart.held_out) == (False, True)
    assert [any("can learn who wrote" in one for one in found.notes) for found in (plain, apart)] == [True, False]


def test_pairs_without_systems_and_of_three_are_refused():
    pair = Pair("p", {}, ("a", "b"), ("s", "t"), 1.0)
    with pytest.raises(FitError, match="the pairs name 2 systems: both of a comparison are held out"):
        systems_to_hold_out([pair])
    with pytest.raises(DataError, match="the systems cannot be held out: 1 of 2 pairs does not name both, first 'q'"):
        systems_to_hold_out([pair, replace(pair, id="q", systems=("s", ""))])


@pytest.mark.parametrize(("name", "said"), [("rank", "system"), ("pairs", True)])
def test_the_commands_say_what_was_held_out(tmp_path, tiny_model, monkeypatch, name, said):
    monkeypatch.setattr(pair_figures_module, "SPLITS", 1)
    rows = [
        {
            "id": f"{q}{n}",
            "instruction": f"Name {q}.",
            "response": f"r{q} {n}" * (n + 1),
            "system": f"s{n}",
            "score": n + 1,
        }
        for q in range(4)
        for n in range(5)
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    common = ("-m", str(tiny_model), "--no-store", "--cv", "2", "--hold-out", "system", "--json")
    done = CliRunner().invoke(main, [name, str(path), "-r", "helpfulness", *common])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["held_out"] == said and found["folds"] == 2 and found["pairs"] == 40
    assert not any("can learn who wrote" in one for one in found["warnings"])
