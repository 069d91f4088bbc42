"""Two responses in both orders: what cancels, what flips, who wins, and how pairs are made of files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lager_lite.data import Pair
from lager_lite.errors import DataError, LagerWarning, MisuseError
from lager_lite.fitting import FitPlan
from lager_lite.judging import Judge
from lager_lite.llama import BackendOptions
from lager_lite.llama.schedule import unique_tokens
from lager_lite.prompts import make_rubric, pairwise_rubric
from lager_lite.records import Calibration, Item
from lager_lite.scoring import unlabelled_weights
from lager_lite.tasks.comparing import Compared, Evidence, compare_pairs, shown_orders, verdicts
from lager_lite.tasks.pair_figures import check_preferences, pair_figures
from lager_lite.tasks.pair_weights import fit_pair_weights, labelled_pairs, seen_pairs, unlearned
from lager_lite.tasks.pairing import joined_pairs, pairs_within
from lager_lite.tasks.tournament import tournament

BASE = make_rubric("good", "Is it good?")
RUBRIC = pairwise_rubric(BASE)
VALUES = np.array([0.0, 1.0])


def pair(name, one="a", two="b", **more):
    return Pair(name, {"instruction": f"question {name}"}, (one, two), **more)


def compared(gaps, lean=0.0, pairs=None, values=VALUES, states=2, **more):
    """Pairs whose first response is better by `gaps` logits in the last state; `lean` logits for what stands first."""
    n = len(gaps)
    raw = [np.zeros((n, states, len(values)), np.float32) for _ in range(2)]
    raw[0][:, -1, -1] = np.asarray(gaps) + lean
    raw[1][:, -1, -1] = np.asarray(gaps) - lean
    pairs = pairs or [pair(f"p{number}", group=f"g{number}") for number in range(n)]
    one, two = (Evidence(x, x) for x in raw)
    mass = np.full((n, 2), 0.9)
    return Compared(
        tuple(pairs),
        np.arange(n),
        {},
        (one, two),
        mass,
        values,
        unlabelled_weights(states),
        "good",
        False,
        states,
        **more,
    )


def test_the_position_cancels_and_flips_are_told():
    rows = list(compared([1.0, -0.5, 3.0], lean=2.0).rows())
    assert [row["verdict"] for row in rows] == ["A", "B", "A"]
    assert [row["flip"] for row in rows] == [True, True, False]
    assert rows[0]["probability"] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)
    assert rows[0]["a_first"] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-6)
    assert rows[0]["b_first"] == pytest.approx(1 / (1 + np.exp(1)), abs=1e-6)
    place = pair_figures(compared([1.0, -0.5, 3.0], lean=2.0), resamples=50).position
    assert (place.judged, place.flips, place.first) == (3, 2, pytest.approx(5 / 6))


def test_exchanging_the_responses_exchanges_the_verdicts_whatever_the_weights():
    rng = np.random.default_rng(0)
    for values in (VALUES, np.array([0, 0.5, 1])):
        x = rng.normal(size=(50, 3, len(values))).astype(np.float32)
        evidence = Evidence(x, x)
        weights = replace(unlabelled_weights(3), bias=np.linspace(1, 2, len(values)))
        here, there = verdicts(evidence, values, weights), verdicts(evidence.mirrored, values, weights)
        assert here.first + there.first == pytest.approx(np.ones(50))
        assert (here.winner + there.winner).tolist() == [1.0] * 50


@pytest.mark.parametrize("values", [VALUES, np.array([0, 0.5, 1])])
def test_a_probability_of_one_half_is_a_tie_and_half_a_win(values):
    flat = Calibration("isotonic", np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    pairs = [pair(f"p{n}", group=f"g{n}", systems=("s", "t"), preference=1.0) for n in range(3)]
    learned_nothing = replace(unlabelled_weights(2), calibration=flat)
    found = replace(compared([1.0, -0.5, 3.0], pairs=pairs, values=values), weights=learned_nothing, tuned=True)
    assert unlearned(found, unlabelled_weights(2)) == () and len(unlearned(found, learned_nothing)) == 1
    rows = list(found.rows())
    assert [(row["probability"], row["verdict"], row["flip"]) for row in rows] == [(0.5, "tie", False)] * 3
    assert [row["flags"] for row in rows] == [["undecided"]] * 3
    assert [one.win_rate for one in tournament(found, resamples=10).standings] == [0.5, 0.5]
    figures = pair_figures(found, resamples=10)
    assert figures.notes[0] == (
        "nothing tells the responses apart: of all 3 pairs the probability is 0.5, which is a tie"
    )
    assert {m.accuracy.method: m.accuracy.accuracy for m in figures.methods}["tuned"] == 0.5


def test_a_single_even_pair_is_named_among_others():
    found = compared([0.0, 1.0], pairs=[pair("p"), pair("q")])
    assert [row["flags"] for row in found.rows()] == [["undecided"], []]
    assert pair_figures(found, resamples=10).notes[0] == (
        "in 1 pair the probability is 0.5, which is a tie (flag `undecided`)"
    )


def test_a_tie_is_a_verdict_where_its_label_is_the_most_likely():
    one = compared([0.0], values=np.array([0, 0.5, 1]))
    one.orders[0].raw[0, -1] = one.orders[1].raw[0, -1] = [0.0, 2.0, 1.0]
    (row,) = one.rows()
    assert row["verdict"] == "tie" and 0.5 < row["probability"] < 0.7


def test_the_groups_of_pairs_count_once_in_whatever_spelling():
    names = ("Doc1", "doc1 ", "DOC1", "1", "1.0")
    pairs = [pair(str(n), f"a{n}", f"b{n}", preference=1.0, group=name) for n, name in enumerate(names)]
    pairs = [replace(one, systems=("s", "t")) for one in pairs]
    found = compared([1.0] * 5, pairs=pairs)
    assert (pair_figures(found, resamples=50).groups, tournament(found, resamples=50).groups) == (2, 2)
    assert labelled_pairs(found).group.tolist() == [*["Doc1"] * 3, "1", "1"] * 2


def test_accuracy_by_hand_beside_the_longer_one():
    pairs = [
        pair("0", "long response here", "b", preference=1.0, group="x"),
        pair("1", "a", "long response here", preference=1.0, group="y"),
        pair("2", "a", "b c d", preference=0.0, group="z"),
        pair("3", "a", "b", preference=0.5, group="z"),
        pair("4", "a", "b", group="z"),
    ]
    found = pair_figures(compared([1.0, 1.0, -1.0, 4.0, 4.0], lean=2.0, pairs=pairs), resamples=50)
    by_name = {one.accuracy.method: one for one in found.methods}
    assert (found.pairs, found.tied, found.groups) == (3, 1, 3)
    assert by_name["e_score"].accuracy.accuracy == 1.0 and by_name["length"].accuracy.accuracy == pytest.approx(2 / 3)
    assert by_name["e_score"].one_order == 0.5 and by_name["e_score"].flips == 0.75
    assert by_name["direct"].accuracy.accuracy == 0.5 and by_name["direct"].accuracy.ties == 3  # one vote each
    assert by_name["length"].flips is None and by_name["length"].brier is None
    assert found.verdict.startswith("uniform puts the better of two responses first in 100.0% of the pairs")


def preferred_of(n, states, groups):
    """n pairs with a preference at random, and layer logits of noise."""
    rng = np.random.default_rng(0)
    better = rng.integers(0, 2, n).astype(float)
    pairs = [pair(str(k), f"a{k}", f"b{k}", preference=better[k], group=groups(k)) for k in range(n)]
    return compared(np.zeros(n), pairs=pairs, states=states), better, rng.normal(size=(n, states, 2)).astype(np.float32)


def fitted_accuracy(found, kind, folds):
    return pair_figures(found, folds=folds, kinds=(kind,), resamples=50).methods[-1]


def test_fits_in_folds_find_the_state_that_knows():
    base, better, x = preferred_of(60, 3, lambda k: f"g{k % 30}")
    x[:, 1, 1] += 4 * (better - 0.5)
    found = fitted_accuracy(replace(base, orders=(Evidence(x, x),) * 2), "signed", 3)
    assert found.accuracy.method == "signed" and found.accuracy.accuracy > 0.8 and found.brier < 0.2
    assert found.flips is None and found.accuracy.over_baseline.interval.low > 0


def test_fits_in_folds_never_see_a_pair_of_their_own_group():
    """Every pair of noise exists twice: in one group nothing is learned of it, in two groups the answer is."""

    def right(groups):
        base, better, x = preferred_of(60, 40, groups)
        x, better = np.tile(x[:30], (2, 1, 1)), np.tile(better[:30], 2)
        pairs = tuple(replace(one, preference=better[k]) for k, one in enumerate(base.pairs))
        found = replace(base, pairs=pairs, orders=(Evidence(x, x),) * 2)
        return fitted_accuracy(found, "full", 4).accuracy.accuracy

    assert right(lambda k: f"g{k % 30}") < 0.6
    assert right(str) > 0.7


def test_win_rates_and_strengths_count_each_comparison_once():
    def game(name, one, two, texts=("x", "y"), **more):
        return pair(name, *(f"{t} {name}" for t in texts), systems=(one, two), group=more.pop("group", name), **more)

    pairs = [game("1", "s", "t"), game("2", "t", "s"), game("3", "s", "u"), game("4", "u", "t"), game("5", "s", "s")]
    votes = [replace(pairs[0], preference=1.0), replace(pairs[0], preference=0.0)]
    votes[1] = replace(votes[1], responses=votes[1].responses[::-1], systems=("t", "s"), preference=1.0)
    found = tournament(compared([2, -2, 2, 0, 1, 2, -2], pairs=[*pairs, *votes]), resamples=200)
    assert [(one.system, one.pairs, one.won) for one in found.standings] == [
        ("s", 3, 3.0),
        ("t", 3, 0.5),
        ("u", 2, 0.5),
    ] or [one.system for one in found.standings] == ["s", "u", "t"]
    assert (found.pairs, found.groups, found.parts) == (4, 4, 1)
    assert found.notes[0] == "the win rates leave out 1 pair of a system with itself"
    best = found.standings[0]
    assert best.win_rate == 1.0 and best.strength > 0 and best.strength_interval.low > 0


@pytest.mark.parametrize(("prompts", "interval", "few"), [(1, False, True), (8, False, True), (10, True, False)])
def test_win_rates_of_few_prompts_have_no_interval_and_a_warning(prompts, interval, few):
    pairs = [pair(f"p{n}", f"x{n}", f"y{n}", systems=("s", "t"), group=f"g{n}") for n in range(prompts)]
    found = tournament(compared([1.0] * prompts, pairs=pairs), resamples=50)
    assert [one.win_rate for one in found.standings] == [1.0, 0.0]
    assert all((one.interval is not None) is interval for one in found.standings)
    assert any("cannot be trusted" in note for note in found.notes) is few
    assert (
        pair_figures(compared([1.0] * prompts, pairs=pairs), resamples=50).position.interval is not None
    ) is interval


def test_a_system_that_many_resamples_hold_no_prompt_of_has_no_interval():
    systems = [("odd" if number < 2 else "s", "t") for number in range(40)]
    pairs = [pair(str(number), group=f"g{number}", systems=two) for number, two in enumerate(systems)]
    found = tournament(compared([1.0, -1.0] * 20, pairs=pairs), resamples=200)
    by = {one.system: one for one in found.standings}
    assert by["odd"].win_rate == 0.5 and by["odd"].interval is None and by["s"].interval is not None
    assert "no interval for odd, compared in too few prompts" in found.notes


def test_people_count_where_they_said_something():
    pairs = [pair(f"p{n}", f"x{n}", systems=("s", "t"), preference=(1.0, None, 0.0, 1.0)[n]) for n in range(4)]
    pairs = [replace(one, group=one.id) for one in pairs]
    pairs.append(replace(pairs[0], preference=None))  # the same comparison once more, without a vote
    found = tournament(compared([1.0] * 5, pairs=pairs), resamples=50)
    assert [(one.human_rate, one.human_pairs) for one in found.standings] == [(2 / 3, 3), (pytest.approx(1 / 3), 3)]
    assert found.by_people == "by people: of the 3 of 4 comparisons that have a preference of people"


def test_one_pair_is_no_reason_to_call_a_method_better():
    worse = compared([-1.0], pairs=[pair("p", preference=1.0)])
    figures = pair_figures(replace(worse, weights=replace(worse.weights, weights=np.array([1.0, -1.0])), tuned=True))
    said = "1 group is too few to tell whether that is more than the 50.0% of length."
    assert figures.verdict.endswith(said) and "more often" not in figures.verdict
    assert all(one.accuracy.interval is None for one in figures.methods)


def test_given_weights_are_what_the_verdict_is_about():
    pairs = [pair(f"p{n}", preference=1.0, group=f"g{n}") for n in range(12)]
    worse = replace(unlabelled_weights(2), weights=np.array([1.0, -1.0]))
    found = replace(compared([1.0] * 12, pairs=pairs), weights=worse, tuned=True)
    assert pair_figures(found, resamples=50).verdict.startswith("tuned puts the better of two responses first in 0.0%")


def test_systems_that_were_never_compared_are_said_to_be_apart():
    pairs = [pair("1", systems=("s", "t")), pair("2", systems=("u", "v"))]
    found = tournament(compared([1, 1], pairs=pairs), resamples=50)
    assert found.parts == 2 and "2 parts that were never compared with each other" in found.notes[0]
    assert found.notes[0].endswith("s, t; u, v")
    alone = tournament(compared([1], pairs=[pair("1", systems=("s", "s"))]))
    assert alone.standings == () and "only the system s is named: win rates need two systems" in alone.notes
    assert tournament(compared([1])) is None


def test_both_orders_share_the_task_and_equal_texts_are_not_judged(tiny_model):
    long = "a long instruction that both orders share, " * 6
    asked = replace(pair("q", "first one", "second one"), fields={"instruction": long})
    equal, lacking = pair("e", "same  text", "same text"), pair("m", "x", None, error="there is no response B")
    with Judge(tiny_model, rubric=RUBRIC) as judge:
        tokens = [judge.encode(item, RUBRIC).prompt.tokens for item in shown_orders(asked)]
        found = compare_pairs(judge, [asked, equal, lacking, {"response_a": "u", "response_b": "v"}])
        assert judge.counts.done == 4
        swapped = compare_pairs(judge, [replace(asked, responses=("second one", "first one"))])
        with pytest.raises(DataError, match=r"none of 1 pair could be judged: pair m: there is no response B"):
            compare_pairs(judge, [lacking])
    assert unique_tokens(tokens) < 0.8 * sum(map(len, tokens))
    one, tie, error, other = found.rows()
    assert (tie["verdict"], tie["probability"], tie["flags"], tie["flip"]) == ("tie", 0.5, ["equal texts"], False)
    assert "1 pair of equal texts counted as a tie each" in pair_figures(found, resamples=50).notes
    assert (error["verdict"], error["error"]) == (None, "there is no response B")
    assert other["id"] == "4" and other["error"] is None
    (turned,) = swapped.rows()
    assert turned["probability"] == pytest.approx(1 - one["probability"], abs=1e-5)
    assert turned["a_first"] == pytest.approx(1 - one["b_first"], abs=1e-5)
    with Judge(tiny_model, rubric=BASE) as judge, pytest.raises(MisuseError, match="does not compare two responses"):
        compare_pairs(judge, [asked])


def test_fitted_weights_decide_and_know_what_they_were_fitted_on(tiny_model):
    pairs = [pair(str(n), f"a{n}", f"b{n * 7}", preference=float(n % 3 == 0), group=f"g{n}") for n in range(24)]
    with Judge(tiny_model, rubric=RUBRIC, options=BackendOptions(threads=1)) as judge:
        found = compare_pairs(judge, pairs[:20])
        fitted = fit_pair_weights(judge, found, FitPlan(kind="simplex", folds=2))
        data = labelled_pairs(found)
        judge.use_weights(fitted.file)
        tuned = compare_pairs(judge, pairs)
    assert fitted.items == 20 and fitted.file.provenance.fit["pairs"] == 20
    assert data.human[:20] == pytest.approx(1 - data.human[20:])
    assert seen_pairs(tuned, fitted.file.provenance.fit).tolist() == [True] * 20 + [False] * 4
    figures = pair_figures(tuned, fit=fitted.file.provenance.fit, resamples=50)
    assert figures.pairs == 4 and "tuned" in [one.accuracy.method for one in figures.methods]
    assert any("leave out 20 pairs that the weights were fitted on" in note for note in figures.notes)
    assert any(" pairs, so intervals are wide" in note for note in figures.notes)
    older = {**fitted.file.provenance.fit, "seen_version": 1}
    assert any("of an earlier version" in note for note in pair_figures(tuned, fit=older, resamples=50).notes)


def items(system, answers, **more):
    return [
        Item(name, {"instruction": f"q {name}", "response": text, "model": system}, keys={"id": ("id",)}, **more)
        for name, text in answers.items()
    ]


def test_two_files_are_joined_by_id_and_nothing_is_lost():
    one, two = items("s", {"1": "a", "2": "b", "3": "c"}), items("t", {"3": "d", "2": "e", "4": "f"})
    one[1], two[1] = replace(one[1], human={"": (4.0,)}), replace(two[1], human={"": (2.0, 3.0)})
    found = joined_pairs(one, two, "good", names=("one", "two"))
    assert [(p.id, p.responses, p.systems, p.preference, p.error) for p in found] == [
        ("1", (None, None), ("s", "two"), None, "only one has this id"),
        ("2", ("b", "e"), ("s", "t"), 1.0, None),
        ("3", ("c", "d"), ("s", "t"), None, None),
        ("4", (None, None), ("one", "t"), None, "only two has this id"),
    ]
    with pytest.raises(DataError, match="one and two have no id in common: 1 against 4"):
        joined_pairs(one[:1], two[2:], "good", names=("one", "two"))
    again = [*one, replace(one[0], where="one.jsonl:4")]
    with pytest.raises(
        DataError, match="the rows of one have no id to be joined by, and .* answer the same instruction"
    ):
        joined_pairs([replace(i, keys={}) for i in again], two, "good", names=("one", "two"))


def test_two_files_without_ids_are_joined_by_instruction():
    """As the outputs of AlpacaEval: instruction, output and generator."""
    one, two = items("s", {"1": "a", "2": "b"}), items("t", {"2": "e", "3": "c", "1": "d"})
    one, two = ([replace(item, id=str(n), keys={}) for n, item in enumerate(own, 1)] for own in (one, two))
    found = joined_pairs(one, two, "good", names=("one", "two"))
    assert [(p.responses, p.systems, p.error) for p in found] == [
        (("a", "d"), ("s", "t"), None),
        (("b", "e"), ("s", "t"), None),
        ((None, None), ("one", "t"), "only two has this instruction"),
    ]


def test_responses_to_one_instruction_are_compared_with_each_other():
    rows = [
        Item(n, {"instruction": "q", "response": n, "system": f"s{n}"}, {"": (g,)})
        for n, g in (("a", 3.0), ("b", 1.0), ("c", 3.0))
    ]
    alone = [Item(n, {"instruction": f"another {n}", "response": n}, where=f"p.jsonl:{n}") for n in "45"]
    with pytest.warns(LagerWarning, match="^1 row has no other response to the same instruction, .* is p.jsonl:5$"):
        pairs_within([*rows, alone[1]], "good")
    with pytest.warns(LagerWarning, match="^2 rows have no other response .* the first is p.jsonl:4$"):
        found = pairs_within([*alone, *rows], "good")
    assert [(p.id, p.systems, p.preference) for p in found] == [
        ("a vs b", ("sa", "sb"), 1.0),
        ("a vs c", ("sa", "sc"), 0.5),
        ("b vs c", ("sb", "sc"), 0.0),
    ]
    with pytest.raises(DataError, match="none of the 1 row answers the same instruction as another one"):
        pairs_within(rows[:1], "good")


def test_nothing_to_fit_to_is_said_before_a_model_loads():
    with pytest.raises(DataError, match="no pair has a preference of people"):
        check_preferences([pair("1"), pair("2", preference=0.5)], 3)
