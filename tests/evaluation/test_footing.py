"""Two methods are compared by scores that were pooled in the same way."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from lager_lite.evaluation.footing import Column, Way, on_equal_footing
from lager_lite.evaluation.side_by_side import _agreement
from lager_lite.evaluation.verdict import find_verdict
from lager_lite.fitting import OutOfFold
from lager_lite.fitting.folds import within_fold_ranks
from lager_lite.fitting.splits import split_folds
from lager_lite.stats import agreement


def made(folds, *, groups=24, each=5, seed=0):
    """Groups of items whose labels follow the length; `length` and `surface` as if they were fitted in these folds."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), each)
    length = rng.normal(size=group.size) + rng.normal(size=groups)[group]
    human = np.clip(np.round(3 + length + 0.7 * rng.normal(size=group.size)), 1, 5)
    ways = split_folds(group, human, folds=folds, seed=seed, splits=2)
    blurred = length + rng.normal(size=group.size)
    return (
        rng,
        length,
        human,
        ways,
        {
            "length": [within_fold_ranks(length, way) for way in ways],
            "surface": [within_fold_ranks(blurred, way) for way in ways],
        },
    )


def compared(scores, human, ways, length, fitted):
    return on_equal_footing(
        scores, human, np.arange(len(human)), fitted=fitted, ways=ways, length=length, seed=0, resamples=200
    )


@pytest.mark.parametrize("folds", [5, 12, 20])
def test_the_length_itself_adds_nothing_to_length_however_many_folds_there_are(folds):
    _, length, human, ways, scores = made(folds)
    found = compared({"words": [np.exp(length)], **scores}, human, ways, length, ("length", "surface"))
    gain = found.gain("words", "length")
    assert (gain.value, gain.interval.low, gain.interval.high) == (0.0, 0.0, 0.0)
    assert found.gain("length", "words").value == 0.0
    words, inside = Column("words"), Column("length")
    assert found.plain.gain(words, inside).value > (0.0 if folds == 5 else 0.05), "what the folds cost"
    assert found.pair("words", "length") == (words, Column("length", Way.AS_IT_IS))


def test_a_method_without_a_fit_is_ranked_in_the_folds_of_one_that_has_one():
    _, length, human, ways, scores = made(12)
    fitted = {"full": scores["length"], "surface": scores["length"]}
    found = compared({"words": [length], **fitted}, human, ways, length, tuple(fitted))
    assert found.gain("words", "full").value == found.gain("full", "words").value == 0.0
    assert found.pair("full", "words") == (Column("full"), Column("words", Way.IN_FOLDS))
    assert (
        found.pair("full", "surface") == (Column("full"), Column("surface"))
        and found.best(["surface", "words"]) == "surface"
    )


def test_the_length_is_not_taken_in_the_wrong_direction():
    _, length, human, ways, scores = made(5)
    found = compared({"words": [length], **scores}, 6 - human, ways, length, ("length", "surface"))
    assert found.gain("words", "length").value < -1.0


def test_at_equal_surface_is_at_equal_length_too():
    """The surface explains less than the length does, so that at equal surface alone much of the length is left."""
    rng, length, human, ways, scores = made(5, groups=400, each=1)
    noisy, judge = length + 0.4 * rng.normal(size=400), human + rng.normal(size=400)
    found = compared({"noisy": [noisy], "judge": [judge], **scores}, human, ways, length, ("length", "surface"))
    left = found.at_equal_surface("noisy")
    assert left.interval.low < 0 < left.interval.high and abs(left.value) < 0.1  # one standard error is 0.05
    assert found.at_equal_surface("judge").interval.low > 0.1
    assert found.with_length["noisy"] > 0.9 and found.with_length["length"] == pytest.approx(1.0)


def test_the_verdict_allows_for_the_choice_in_what_it_decides_and_prints():
    """Here the best one's own interval is wholly above 0, and the one that holds for all three is not."""
    rng, length, human, ways, scores = made(5, groups=100, each=1)
    names = ("simplex", "signed", "full")
    tried = {name: 0.15 * human * (name == "full") + rng.normal(size=100) for name in names}
    scores |= {name: [within_fold_ranks(one, way) for way in ways] for name, one in tried.items()}
    found = compared({**scores, "e_score": [rng.normal(size=100)]}, human, ways, length, tuple(scores))
    plain, best = found.estimate("full"), found.best_estimate(names, "full")
    assert best.interval.low <= 0 < plain.interval.low and best.value == plain.value
    at_equal = found.best_at_equal_surface(names, "full").interval
    assert at_equal.low < found.at_equal_surface("full").interval.low
    methods = [
        SimpleNamespace(name=n, tuned=True, overall=agreement(tried[n], human), interval=found.estimate(n).interval)
        for n in names
    ]
    verdict = find_verdict(methods, found, "length")
    assert verdict.finding == "none"
    assert f"agree with people: Spearman {best.value:.2f} [{best.interval.low:.2f}, " in verdict.text
    assert verdict.text.endswith(
        ". Full weights are the best of 3 ways tried: the intervals here allow for that choice, those of the table do not."
    )
    assert find_verdict(methods[-1:], found, "length").finding != "none"


def told(judge, base, *, tuned=False, folds=5):
    """The verdict on scores of 200 items whose labels follow length and quality, and what it rests on."""
    rng = np.random.default_rng(3)
    size, quality = rng.normal(size=(2, 200))
    human = np.clip(np.round(3 + 0.6 * size + quality), 1, 5)
    length = np.round(2 * size)
    ways = split_folds(np.arange(200), human, folds=folds, seed=0, splits=2)
    plain = {"e_score": np.zeros(200) if judge == "flat" else np.round(human + 2 * rng.normal(size=200))}
    scores = {"noise": rng.normal(size=200), "size": size + rng.normal(size=200), "near": size, "flat": human}.get(
        judge, human
    )
    inside = {"length": length, "surface": length + rng.normal(size=200)}
    (plain if tuned else inside)["tuned" if tuned else "full"] = scores
    ranked = {name: [within_fold_ranks(one, way) for way in ways] for name, one in inside.items()}
    found = compared({name: [one] for name, one in plain.items()} | ranked, human, ways, length, tuple(ranked))
    name = "tuned" if tuned else "full"
    interval = found.estimate(name).interval
    method = SimpleNamespace(name=name, tuned=True, overall=agreement(scores, human), interval=interval)
    return found, find_verdict([method], found, base).text


def test_a_verdict_is_made_of_whole_sentences():
    """Every variant, and its numbers, which are those of the table unless it says otherwise."""
    assert re.fullmatch(
        r"Full weights do not clearly agree with people: Spearman -?0\.\d\d \[-0\.\d\d, 0\.\d\d\]\. "
        r"The length of the response alone reaches 0\.\d\d\.",
        told("noise", "length")[1],
    )
    better = r"Full weights agree with people: Spearman 1\.00 \[.*?\]\. They are better than e_score, which reaches 0\.\d\d: "
    left = r" At equal length and surface the agreement is \d\.\d\d \[.*?\]\."
    assert re.fullmatch(better + r"the difference is 0\.\d\d \[.*?\]\." + left, told("best", "e_score")[1])
    for judge, than in (("near", "no better than"), ("size", "worse than")):
        assert f" They are {than} the length of the response, which reaches 0." in told(judge, "length")[1]
    assert "]. e_score tells hardly anything apart. At equal length" in told("flat", "e_score")[1]


@pytest.mark.parametrize(
    ("base", "tuned", "way", "why"),
    [
        (
            "length",
            True,
            Way.AS_IT_IS,
            "the length, fitted in folds; here it is plainly the length, in the direction that",
        ),
        ("e_score", False, Way.IN_FOLDS, "e_score, without folds; here it is ranked inside the folds of the weights."),
    ],
)
def test_a_verdict_says_which_number_is_not_that_of_the_table(base, tuned, way, why):
    found, text = told("best", base, tuned=tuned, folds=50)
    here, shown = (f"{found.plain.estimate(Column(base, one)).value:.2f}" for one in (way, Way.OWN))
    assert here != shown and f"which reaches {here}: the difference is " in text
    assert f"]. The table has {shown} for {why}" in text


def test_a_verdict_says_what_given_weights_reach_inside_the_folds_of_the_surface():
    found, text = told("size", "surface", tuned=True, folds=20)
    inside = found.plain.estimate(Column("tuned", Way.IN_FOLDS)).value
    assert (
        f" For the difference they are ranked inside the folds in which the surface was fitted, and reach {inside:.2f}."
        in text
    )


def test_ties_inside_folds_cost_no_agreement():
    """Nearly all items get one score: 0.6 of the agreement is left where ranks inside folds are ranked again."""
    rng, _, human, ways, _ = made(5)
    most = np.where((human == 5) & (rng.random(120) < 0.6), 5.0, 3.0)
    ranks = tuple(within_fold_ranks(most, way) for way in ways)
    found = _agreement(OutOfFold(most, None, ranks=ranks), human, np.ones(120, dtype=bool), ways[0])
    assert found.spearman == pytest.approx(agreement(most, human).spearman, abs=0.02)
    one = compared({"most": ranks, "e_score": [most]}, human, ways, None, ("most",))
    assert one.estimate("most").value == pytest.approx(found.spearman)


def test_one_odd_item_in_every_fold_is_not_told_apart_by_the_levels_of_the_folds():
    _, length, human, ways, scores = made(5)
    odd = np.zeros(120)
    odd[[3, 8]] = 1.0
    ranked = [within_fold_ranks(odd, way) for way in ways]
    found = compared({"odd": ranked, **scores}, human, ways, length, ("odd", "length", "surface"))
    assert found.plain.told_apart[Column("odd")] == 2 and found.estimate("odd").interval is None
    assert found.no_interval("odd").startswith("only 2 groups are told apart from all others")
