"""Self-knowledge: both thresholds and the curve by hand, folds that do not peek, the stratified sample."""

from __future__ import annotations

import json
from dataclasses import replace
from html import escape

import numpy as np
import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.errors import DataError, FitError
from lager_lite.fitting.labelled import Labelled, select_judgments
from lager_lite.fitting.seen import seen_marks
from lager_lite.records import Item, LayerWeights
from lager_lite.tasks.detection import best_threshold, precision_recall, rule_threshold
from lager_lite.tasks.knowledge import self_knowledge, stratified


def labelled(n=200, *, signal=0.0, group=None, x=None, seed=0):
    rng = np.random.default_rng(seed)
    human = np.where(np.arange(n) % 4 == 0, 1.0, 5.0)
    if x is None:
        x = rng.normal(size=(n, 3, 5)).astype(np.float32)
        x[:, 1] += signal * np.outer(human - 3, np.arange(5) - 2)
    names = np.arange(n).astype(str)
    return Labelled(
        x,
        x,
        human,
        tuple((h,) for h in human),
        np.array(["a"] * n),
        names if group is None else group,
        names,
        np.arange(1.0, 6.0),
        (),
    )


def test_the_rule_is_a_share_of_the_range_of_the_scores():
    assert rule_threshold(np.array([2.0, 4.0, 3.0])) == 3.5
    assert rule_threshold(np.array([4.0, 4.0])) == 4.0


@pytest.mark.parametrize(
    ("scores", "truth", "threshold"),
    [
        ([1, 2, 3, 4], [1, 1, 0, 0], 2.5),
        ([1, 2, 3, 4], [0, 0, 0, 1], 4.0),  # all called: F1 0.4 beats none
        ([1, 1, 1, 4], [1, 0, 1, 0], 2.5),  # equal scores are called together
        ([4, 3, 2, 1], [0, 0, 1, 1], 2.5),
    ],
)
def test_the_best_threshold_lies_between_scores(scores, truth, threshold):
    assert best_threshold(np.array(scores, float), np.array(truth, bool)) == threshold


def test_the_curve_by_hand():
    """Called in this order: hit, then a hit and a miss at one score, then a miss."""
    found = precision_recall(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1, 1, 0, 0], bool), np.ones((1, 4)))
    thresholds, precision, recall, average = found
    assert thresholds.tolist() == [1.0, 2.0, 3.0]
    assert precision[0] == pytest.approx([1, 2 / 3, 1 / 2]) and recall[0] == pytest.approx([0.5, 1, 1])
    assert average[0] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_a_row_that_counts_twice_is_two_rows():
    rng = np.random.default_rng(0)
    scores, truth, weight = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.4, rng.integers(0, 3, (4, 40))
    expected = []
    for w in weight:
        rows = np.repeat(np.arange(40), w)
        expected.append(precision_recall(scores[rows], truth[rows], np.ones((1, len(rows))))[3][0])
    np.testing.assert_allclose(precision_recall(scores, truth, weight.astype(float))[3], expected, rtol=1e-12)


def test_methods_that_know_are_told_from_those_that_do_not():
    weights = LayerWeights("signed", "raw", np.array([0.0, 1.0, 0.0]))
    result = self_knowledge(labelled(signal=0.5), weights, kinds=("signed",), resamples=100)
    assert (result.n, result.unanswerable, result.groups) == (200, 50, 200)
    assert result.everything == pytest.approx(2 * 50 / 250)
    by = {m.method: m for m in result.methods}
    assert list(by) == ["direct", "e_score", "uniform", "tuned", "signed"]
    for name in ("tuned", "signed"):
        assert by[name].best.f1 > 0.95 and by[name].curve.average > 0.95
        assert by[name].best.interval.low <= by[name].best.f1 <= by[name].best.interval.high
    assert by["e_score"].curve.average < 0.5
    assert len(by["signed"].best.thresholds) == 5 and len(by["signed"].rule.thresholds) == 1
    scores, truth = np.array(by["tuned"].scores), np.array(result.truth)
    called = scores <= rule_threshold(scores)
    assert by["tuned"].rule.found == called.sum()
    assert by["tuned"].rule.f1 == pytest.approx(2 * np.sum(called & truth) / (called.sum() + truth.sum()))


def test_questions_that_the_weights_know_are_left_out():
    data = labelled()
    items = tuple(Item(str(n), {"instruction": f"Question {n}?"}, group=f"g{n}") for n in range(200))
    fit = seen_marks(select_judgments(replace(data, items=items), np.arange(8)))
    result = self_knowledge(replace(data, items=items), fit=fit, kinds=(), resamples=50)
    assert result.n == 192 and result.items[0] == "8"
    said = "8 of 200 judgments are of items or groups that the weights were fitted on: they are left out"
    assert result.warnings == (said,)


@pytest.mark.parametrize("folds", [5, 12])
def test_a_method_that_is_the_length_is_no_better_than_it(folds):
    """Ranked inside small folds, the length loses; a method without a fit may not win by that."""
    data = labelled(120)
    rng = np.random.default_rng(2)
    count = np.where(data.human == 1.0, rng.integers(20, 60, 120), rng.integers(5, 40, 120))
    items = tuple(Item(str(n), {"instruction": "word " * int(c)}, group=str(n)) for n, c in enumerate(count))
    x = np.zeros((120, 3, 5)) - 0.05 * np.log1p(count)[:, None, None] * np.arange(5)
    x[:, -1] = 0.0  # the last state, which e_score reads, knows nothing
    found = self_knowledge(replace(data, raw=x, norm=x, items=items), kinds=("uniform",), folds=folds, resamples=50)
    averages = {m.method: m.curve.average for m in found.methods}
    assert averages["uniform"] != averages["length"] and found.baseline == "length"
    assert ", no better than the length of the question, " in found.verdict
    assert found.verdict.endswith("the difference is +0.000 [+0.000, +0.000].")


def test_folds_hold_enough_questions_to_be_ranked_in():
    found = self_knowledge(labelled(120), kinds=(), folds=60, resamples=50)
    assert found.folds == 12 and "60 folds of 120 questions would hold about 2 each" in found.notes[0]


def test_noise_is_not_learned_from_twins_of_one_group():
    """Every question exists twice; only folds that part the twins know the answer."""
    half = np.random.default_rng(1).normal(size=(80, 30, 5)).astype(np.float32)
    twins = np.concatenate([half, half])
    together = np.array([str(i % 80) for i in range(160)])
    few = {"kinds": ("full",), "folds": 4, "resamples": 20}
    kept = self_knowledge(labelled(160, x=twins, group=together), **few).methods[-1]
    parted = self_knowledge(labelled(160, x=twins), **few).methods[-1]
    assert kept.curve.average < 0.5 and parted.curve.average > 0.7


def test_six_groups_in_three_folds_are_enough():
    """Each training part has four groups, fewer than the five folds that it would otherwise be split into."""
    group = np.array([f"g{i % 6}" for i in range(120)])
    result = self_knowledge(labelled(120, signal=0.5, group=group), folds=3, resamples=20)
    assert (result.groups, result.folds) == (6, 3)
    by = {m.method: m for m in result.methods}
    assert list(by) == ["direct", "e_score", "uniform", "simplex", "signed", "full"]
    assert by["full"].curve.average > 0.9 and len(by["full"].best.thresholds) == 3


def test_two_groups_leave_nothing_to_choose_from():
    group = np.array([f"g{i % 2}" for i in range(40)])
    with pytest.raises(FitError, match="2 groups leave a training part with one: nothing can be chosen in it"):
        self_knowledge(labelled(40, group=group), folds=2, resamples=20)


def test_labels_between_the_ends_and_one_kind_alone_are_refused():
    data = labelled(20)
    data.human[3] = 3.0
    with pytest.raises(DataError, match=r"item '3' has the score 3: expected 1 \(unanswerable\) or 5"):
        self_knowledge(data)
    data.human[:] = 5.0
    with pytest.raises(DataError, match="there is one kind of question only, in 20 questions"):
        self_knowledge(data)


def test_the_sample_keeps_the_shares_and_the_order():
    items = [Item(str(n), {}, {"": (1.0 if n % 10 < 3 else 5.0,)}) for n in range(1000)]
    chosen = stratified(items, 100, 0)
    assert len(chosen) == 100 and sum(i.human[""] == (1.0,) for i in chosen) == 30
    assert [int(i.id) for i in chosen] == sorted(int(i.id) for i in chosen)
    assert chosen == stratified(items, 100, 0) != stratified(items, 100, 1)
    assert stratified(items, None, 0) == stratified(items, 5000, 0) == tuple(items)


@pytest.fixture
def run(tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "store.sqlite"))
    entries = [{"question_id": n, "question": f"question {n}?", "answerable": n % 3 > 0} for n in range(60)]
    (tmp_path / "aware.json").write_text(json.dumps({"example": entries}))
    (tmp_path / "a.toml").write_text(
        'criterion = "Known?"\ntemplate = "{sections} {criterion}"\n[[section]]\nfield = "instruction"\ntitle = "Q"\n'
    )
    return lambda *more, data="aware.json": CliRunner().invoke(
        main, ["knowledge", data, "-m", str(tiny_model), *map(str, more)], catch_exceptions=False
    )


def test_the_command_reports_every_method(run, tmp_path):
    done = run("-r", "a.toml", "-n", 45, "--json=k.json")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("45 questions in 45 groups, 15 of them unanswerable; 5 folds\n")
    names = [line.split()[0] for line in done.stdout.splitlines()[4:12]]
    assert names == ["direct", "e_score", "uniform", "length", "words", "simplex", "signed", "full"]
    assert "Calling every question unanswerable: F1 0.500, precision 0.333" in done.stdout
    figures = json.loads((tmp_path / "k.json").read_text())
    curve = figures["methods"][1]["curve"]
    assert len(curve["precision"]) == len(curve["recall"]) == len(curve["thresholds"]) > 5
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    assert run("-r", "a.toml", "-n", 45, "--report", "k.html").exit_code == 0
    page = (tmp_path / "k.html").read_text()
    assert page.count("<svg") == 2 and "45 questions in 45 groups, 15 of them unanswerable" in page
    assert all(f'scope="row">{name}</th>' in page for name in names)
    assert figures["verdict"] and f"{escape(figures['verdict'])} Chance is 0.333." in page


def test_a_limit_below_all_and_two_rubrics(run):
    assert "60 questions in 60 groups" in run("-r", "a.toml", "--all").stdout
    assert run("-r", "a.toml", "-r", "a.toml").exit_code == 2


def test_the_command_works_with_six_groups_in_three_folds(run, tmp_path):
    rows = [{"instruction": f"question {n}?", "score": 1 if n % 4 == 0 else 5, "topic": f"t{n % 6}"} for n in range(48)]
    (tmp_path / "topics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("-r", "a.toml", "--cv", 3, "--map", "group=topic", data="topics.jsonl")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("48 questions in 6 groups, 12 of them unanswerable; 3 folds\n")
    assert [line.split()[0] for line in done.stdout.splitlines()[9:12]] == ["simplex", "signed", "full"]


def test_the_words_of_the_question_are_a_baseline():
    data = labelled(120)
    asked = [f"What will happen {n}?" if truth else f"What did happen {n}?" for n, truth in enumerate(data.human == 1)]
    items = tuple(Item(str(n), {"instruction": text}) for n, text in enumerate(asked))
    found = self_knowledge(replace(data, items=items), kinds=("signed",), resamples=50)
    assert [m.method for m in found.methods] == ["direct", "e_score", "uniform", "length", "words", "signed"]
    words = found.methods[4]
    assert words.curve.average > 0.99 and words.best.f1 > 0.99
    assert found.baseline == "words"
    assert ", less well than the words of the question, 1.000: the difference is -0." in found.verdict
