from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lager_lite.errors import DataError
from lager_lite.evaluation.evaluate import evaluate, evaluate_weights
from lager_lite.evaluation.grouping import regroup
from lager_lite.fitting import values_of
from lager_lite.fitting.fit import fit
from lager_lite.fitting.labelled import Labelled, gather, grouped, ids_digest
from lager_lite.judging.judge import Judge
from lager_lite.llama.options import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.records import Item
from lager_lite.scoring.aggregate import e_score, score


def labelled(n=240, groups=60, seed=0, signal=1.0):
    """Layer logits in which state 1 knows the grade and points the wrong way, the others are noise."""
    rng = np.random.default_rng(seed)
    human = rng.integers(1, 6, n).astype(float)
    x = rng.normal(size=(n, 4, 5)).astype(np.float32)
    x[:, 1] -= signal * np.outer(human - 3, np.arange(5) - 2)
    names = np.array([f"g{i % groups}" for i in range(n)])
    return Labelled(
        raw=x,
        norm=x,
        human=human,
        individual=tuple((h,) for h in human),
        criterion=np.array(["a", "b"])[np.arange(n) % 2],
        group=names,
        item=np.arange(n).astype(str),
        values=np.arange(1.0, 6.0),
        failed=(),
    )


def test_weights_that_may_change_sign_find_a_layer_that_points_the_wrong_way():
    result = evaluate(labelled(), splits=2, resamples=200)
    assert (result.n, result.groups) == (240, 60)
    assert result.method("signed").overall.spearman > 0.8
    assert result.method("full").overall.spearman > 0.8
    assert result.method("simplex").overall.spearman < 0.3
    gain = result.method("signed").gain
    assert gain.interval.low > 0
    assert set(result.method("full").criteria) == {"a", "b"}
    assert result.ceiling is None
    assert not any("signed" in w for w in result.warnings)
    assert result.verdict.method in ("signed", "full") and result.verdict.beats
    assert result.verdict.text.startswith(
        f"{result.verdict.method.capitalize()} weights agree with people: Spearman 0."
    )
    assert ". They are better than e_score, which reaches 0." in result.verdict.text
    assert result.verdict.text.endswith(
        " weights are the best of 3 ways tried: the intervals here allow for that choice, those of the table do not."
    )
    assert len(result.method("full").ranks) == 2 and result.method("uniform").ranks == ()


def test_noise_is_not_sold_as_a_gain():
    result = evaluate(labelled(n=80, groups=40, signal=0.0), splits=2, resamples=200)
    assert any(w.startswith("there are only 80 labels") for w in result.warnings)
    weak = "simplex, signed, full weights do not clearly beat e_score here: do not use them without more labels"
    assert weak in result.warnings
    assert result.verdict.finding == "none" and "do not clearly agree with people" in result.verdict.text


def test_kinds_criteria_and_recipes_are_chosen():
    result = evaluate(
        labelled(), kinds=["signed"], criteria=True, like=["paper", "authors-code"], splits=1, resamples=50
    )
    names = ["direct", "e_score", "signed", "signed by criterion", "like paper", "like authors-code"]
    assert [m.name for m in result.methods] == names
    assert [m.tuned for m in result.methods] == [False, False, True, True, True, True]
    assert [f.kind for f in result.fitted] == ["signed", "like paper", "like authors-code"]
    assert [len(f.weights) for f in result.fitted] == [4, 4, 3]


def of_lengths(data, words):
    """The same judgments about responses of these lengths, which one of two systems wrote."""
    texts = [{"response": " ".join(["word"] * int(n)), "system": f"s{i % 2}"} for i, n in enumerate(words)]
    return replace(data, items=tuple(Item(str(i), fields, group=str(i // 2)) for i, fields in enumerate(texts)))


def test_labels_that_follow_the_length_are_not_sold_as_judging():
    rng = np.random.default_rng(1)
    size = rng.normal(size=240)
    human = np.clip(np.round(3 + 1.2 * size + 0.6 * rng.normal(size=240)), 1, 5)
    data = replace(labelled(signal=0.0), human=human)
    data.raw[:, 1] += 2 * np.outer(size + 0.2 * rng.normal(size=240), np.arange(5) - 2)  # the judge sees the length
    result = evaluate(of_lengths(data, np.exp(3 + 0.5 * size)), kinds=["full"], splits=2, resamples=200)
    assert result.baseline in ("length", "surface")
    assert result.method("length").overall.spearman > 0.8
    assert result.verdict.finding in ("no better", "worse")
    assert " the response, which reaches 0." in result.verdict.text and " At equal length and" in result.verdict.text
    full = result.method("full")
    assert full.overall.spearman > 0.7 and full.length > 0.8 and abs(full.equal_surface.value) < 0.2
    assert full.near_pairs == result.method("direct").near_pairs > 0


def test_agreement_that_length_does_not_explain_is_said():
    data = labelled()
    words = np.random.default_rng(1).integers(5, 60, 240)
    result = evaluate(of_lengths(data, words), kinds=["full"], splits=2, resamples=200)
    assert abs(result.method("length").overall.spearman) < 0.2
    assert result.verdict.finding == "better"
    full = result.method("full")
    assert full.equal_surface.value == pytest.approx(full.overall.spearman, abs=0.03)
    assert full.near_accuracy > 0.85
    base = result.method(result.baseline)
    # e_score, the best baseline here, is ranked in the folds of full, too, which changes it a little.
    assert [m.name for m in result.methods if m.over_baseline is None] == [result.baseline]
    assert full.over_baseline.value == pytest.approx(full.overall.spearman - base.overall.spearman, abs=0.02)
    assert " At equal length and surface the agreement is 0." in result.verdict.text


def test_systems_that_write_for_several_groups_are_named_and_can_be_held_out():
    data = of_lengths(labelled(n=80, groups=40), np.arange(80) % 13 + 3)
    options = {"kinds": ["full"], "splits": 2, "resamples": 50}
    found = evaluate(data, **options)
    assert any(w.startswith("2 values of the field 'system' stand in several groups") for w in found.warnings)
    held = evaluate(data, hold_out="system", **options)
    assert held.held_out == "system" and not any("several groups" in w for w in held.warnings)
    assert any(w.startswith("only 2 values of the field 'system' are held out") for w in held.warnings)
    assert held.method("full").raw != found.method("full").raw
    with pytest.raises(
        DataError, match="the field 'writer' cannot be held out: it is missing in 80 of 80 items, first in '0'"
    ):
        evaluate(data, hold_out="writer", **options)


def test_copies_in_several_groups_are_said():
    data = of_lengths(labelled(n=80, groups=40), np.arange(80) + 3)
    options = {"kinds": ["uniform"], "splits": 1, "resamples": 50}
    assert not any("stand in another group" in w for w in evaluate(data, **options).warnings)
    twice = replace(data, items=(data.items[1], *data.items[1:]))  # groups g0 and g1
    said = "2 judgments are of texts that stand in another group as well, so folds do not keep copies apart"
    assert any(w.startswith(said) for w in evaluate(twice, **options).warnings)
    together = replace(twice, group=np.array(["g0", "g0", *data.group[2:]]))
    assert not any("stand in another group" in w for w in evaluate(together, **options).warnings)


def test_few_groups_are_said():
    assert any(
        w.startswith("there are only 6 groups")
        for w in evaluate(labelled(groups=6), kinds=["uniform"], splits=1, resamples=50).warnings
    )


def odd_groups(*names):
    """Judgments whose most likely label is 1, but for these groups, where it is 5."""
    data = labelled(groups=60)
    raw = data.raw.copy()
    raw[:, -1] = [9, 0, 0, 0, 0]
    raw[np.isin(data.group, names), -1] = [0, 0, 0, 0, 9]
    return replace(data, raw=raw)


@pytest.mark.parametrize(("names", "said"), [(("g7",), "1 group is"), (("g1", "g2", "g3", "g4"), "4 groups are")])
def test_scores_that_tell_a_handful_of_groups_apart_have_no_interval(names, said):
    result = evaluate(odd_groups(*names), kinds=["uniform"], splits=1, resamples=100)
    direct = result.method("direct")
    assert direct.overall.spearman is not None and direct.interval is None and direct.gain.interval is None
    assert (
        f"direct, e_score: their correlations have no interval: only {said} told apart from all others, which is too few for "
        "an interval" in result.warnings
    )


def test_labels_that_are_all_one_but_for_a_handful_are_named_as_the_reason():
    data = labelled()
    human = np.where(np.isin(data.group, ["g1", "g2"]), 1.0, 5.0)
    result = evaluate(replace(data, human=human), kinds=["signed"], splits=1, resamples=100)
    assert result.method("signed").interval is None and result.verdict is None
    why = "only 2 groups are told apart by people's scores from all others, which is too few for an interval"
    assert f"direct, e_score, signed: their correlations have no interval: {why}" in result.warnings, "said once"
    assert (
        result.told == "There is no verdict, since no weights have an interval of their correlation with people here."
    )


def test_weights_are_not_blamed_for_an_e_score_that_tells_nothing_apart():
    """The last state gives all items but those of one group one score; full weights read the others."""
    result = evaluate(odd_groups("g7"), kinds=["full"], splits=1, resamples=100)
    full = result.method("full")
    assert full.gain.value == full.overall.spearman > 0.8 and full.gain.interval == full.interval
    assert not any("do not clearly beat" in w for w in result.warnings)
    assert result.verdict.beats and result.verdict.text.startswith("Full weights agree with people: Spearman 0.9")
    assert "]. e_score tells hardly anything apart." in result.verdict.text


def test_scores_that_tell_no_item_apart_get_no_figure_from_the_levels_of_the_folds():
    data = replace(labelled(n=80, groups=40), human=np.random.default_rng(3).choice([1.0, 5.0], 80))
    result = evaluate(
        replace(data, raw=data.raw * 0, norm=data.norm * 0), kinds=["full"], splits=2, threshold=3, resamples=50
    )
    for method in result.methods:
        assert method.overall.undefined == "all predictions are equal"
        assert (method.overall.pearson, method.calibrated_mae, method.grades, method.held) == (None, None, None, None)
    assert result.method("full").overall.mae is None
    assert len(set(result.method("full").raw)) > 1, "every fold has its own level, which is what must not be counted"


@pytest.fixture(scope="module")
def tuned_judge(tiny_model):
    """A judge, what it read of 24 scored items, and signed weights that were fitted on them."""
    items = [Item(str(n), {"response": f"text {n}"}, human={"": (1.0 + n % 5,)}) for n in range(24)]
    rubric = make_rubric("good", "Is it good?", template="{sections}\n{criterion}")
    with Judge(tiny_model, rubric=rubric, options=BackendOptions.exact()) as judge:
        data = gather(judge, items)
        with pytest.raises(DataError, match="no weights"):
            evaluate_weights(judge, data)
        judge.weights = fit(data.norm, data.human, data.values, kind="signed", lens="norm").weights
        yield judge, data


def test_given_weights_are_used_as_they_are(tuned_judge):
    judge, data = tuned_judge
    result = evaluate_weights(judge, data, fitted_ids="other", resamples=50)
    assert [m.name for m in result.methods] == ["direct", "e_score", "uniform", "length", "surface", "tuned"]
    _, raw, calibrated = score(data.norm.astype(np.float64), data.values, judge.weights)
    assert result.method("tuned").raw == pytest.approx(raw) and result.method("tuned").calibrated == pytest.approx(
        calibrated
    )
    assert result.method("e_score").raw == pytest.approx(e_score(data.raw[:, -1], data.values), abs=1e-6)
    assert result.folds is None and result.method("e_score").calibrated is None
    assert result.fitted[0].weights == pytest.approx(judge.weights.weights)
    assert not any("very ids" in w for w in result.warnings)


def test_weights_that_were_fitted_on_the_same_items_are_not_praised(tuned_judge):
    judge, data = tuned_judge
    warnings = evaluate_weights(judge, data, fitted_ids=ids_digest(data.item), resamples=50).warnings
    assert warnings[0].startswith("the weights were fitted on items of these very ids: their figures are too good")


def test_a_field_of_the_rows_can_name_the_group():
    items = [Item("1", {"response": "x", "author": "Ann"}, group="g"), Item("2", {"response": "y" * 41})]
    assert [i.group for i in regroup(items, "author")] == ["Ann", None]
    assert [i.group for i in regroup(items, "group")] == ["g", None]
    long = regroup(items, "response")
    assert long[0].group == "x" and len(long[1].group) == 16
    assert long[0].other_groups == ("g",)
    with pytest.raises(DataError) as caught:
        regroup(items, "writer")
    assert (caught.value.message, caught.value.hint) == (
        "no item has the field 'writer' to group by",
        "the fields are: author, response",
    )


@pytest.mark.parametrize("names", [("Doc1", "doc1 ", "DOC1"), ("1", "1.0", " 1"), ("A" * 41, "a" * 41, "A" * 41 + " ")])
def test_a_field_in_other_spellings_is_one_group_and_one_value_to_hold_out(names):
    items = [Item(str(n), {"topic": name}) for n, name in enumerate((*names, "other"))]
    assert len(set(grouped(regroup(items, "topic")))) == 2
    assert values_of(items, "topic")[:3].tolist() == [values_of(items, "topic")[0]] * 3
    with pytest.raises(DataError, match="all items have"):
        values_of(items[:3], "topic")


def test_fewer_groups_than_folds_are_so_many_folds_and_two_are_too_few_to_fit():
    found = evaluate(labelled(groups=3), resamples=50)
    assert found.folds == 3 and "3 groups cannot be split into 5 folds: there were 3 folds" in found.warnings
    found = evaluate(labelled(groups=2), resamples=50)
    assert [m.name for m in found.methods] == ["direct", "e_score", "uniform"] and found.folds is None
    assert found.warnings[0].startswith("nothing was fitted: ")
    assert found.verdict is None and found.told == "No weights were fitted, so there is no verdict on any."


def test_the_length_of_responses_to_one_prompt_needs_no_fit():
    data = labelled(groups=1, signal=0.0)
    found = evaluate(of_lengths(data, np.exp(3 - 0.2 * data.human)), resamples=50)
    assert [m.name for m in found.methods] == ["direct", "e_score", "uniform", "length"] and found.baseline == "length"
    assert found.method("length").overall.spearman == pytest.approx(1.0, abs=0.02)
    judge, gain = found.method("e_score").overall.spearman, found.method("length").gain.value
    assert found.told.endswith(
        f"The length of the response alone reaches Spearman {found.method('length').overall.spearman:.2f}, in the "
        f"direction that these labels have, and e_score {judge:.2f}: the difference is {gain:.2f}."
    )
    assert 'regroup(items, "response")' in found.warnings[0]


def test_folds_hold_enough_judgments_to_be_ranked_in():
    """In folds of two or three judgments little is left of any correlation."""
    rng, data = np.random.default_rng(1), labelled(n=60, groups=30)
    data = of_lengths(data, np.exp(3 + 0.5 * (data.human + 0.3 * rng.normal(size=60))))
    found = evaluate(data, kinds=[], folds=20, splits=1, resamples=50)
    assert found.folds == 6 and found.method("length").overall.spearman > 0.85
    assert found.warnings[0] == (
        "20 folds of 60 judgments would hold about 3 each, and scores that are ranked inside so small folds tell "
        "little: there were 6 folds, which hold out whole groups, too"
    )


def test_gather_takes_the_scores_of_each_rubric(tiny_model):
    rubrics = [make_rubric(n, f"Is it {n}?", template="{sections}\n{criterion}") for n in ("clear", "short")]
    items = [
        Item("1", {"response": "one"}, human={"clear": (1.0, 2.0), "short": (5.0,)}, group="g"),
        Item("2", {"response": "two"}, human={"clear": (3.0,)}, group="G "),
        Item("4", {"response": "two"}, human={"clear": (3.0,)}),
        Item("3", {}, human={"clear": (3.0,)}),
    ]
    with Judge(tiny_model, rubric=rubrics, options=BackendOptions.exact()) as judge:
        data = gather(judge, items)
        assert data.human.tolist() == [1.5, 5.0, 3.0, 3.0]
        assert data.criterion.tolist() == ["clear", "short", "clear", "clear"]
        assert data.group.tolist() == ["g", "g", "g", "4"]
        assert data.raw.shape == data.norm.shape == (4, judge.n_states, 5)
        assert [i for i, _ in data.failed] == ["3"]
        with pytest.raises(
            DataError, match="no item has a human score for the rubrics clear, short; scores found: other"
        ):
            gather(judge, [Item("1", {"response": "one"}, human={"other": (1.0,)})])


def test_gather_does_not_read_items_without_a_score(tiny_model):
    items = [Item(str(n), {"response": f"text {n}"}, {"": (3.0,)} if n % 2 else {}) for n in range(6)]
    with Judge(tiny_model, rubric=make_rubric("clear", "Is it clear?", template="{sections}\n{criterion}")) as judge:
        assert gather(judge, items).item.tolist() == ["1", "3", "5"]
        assert judge.counts.done == 3


def test_the_digest_of_ids_knows_the_set_and_not_its_order():
    assert ids_digest(["b", "a", "b"]) == ids_digest(["a", "b"]) != ids_digest(["a", "c"])
    assert ids_digest(np.array(["a", "b"])) == "0c84cf75ee142f818515ab54bd107d86", (
        "weights files carry it: it may not change"
    )


def test_scores_outside_the_scale_are_refused_before_anything_is_evaluated(tiny_model):
    items = [Item(str(n), {"response": f"text {n}"}, {"": (float(n),)}) for n in range(10)]
    with Judge(tiny_model, rubric=make_rubric("clear", "Is it clear?", template="{sections}\n{criterion}")) as judge:
        with pytest.raises(DataError) as caught:
            gather(judge, items)
        assert judge.counts.evaluated_tokens == 0
    assert (
        caught.value.message
        == "5 of 10 human scores lie outside the scale 1-5 of rubric 'clear': they range from 0 to 9"
    )
    assert caught.value.hint == "give the rubric the scale of the scores, for instance 0-9"


def test_the_front_door_opens_on_the_function_and_not_on_its_module():
    import lager_lite

    assert lager_lite.evaluate is evaluate
