from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.errors import DataError
from lager_lite.evaluation.compare import compare
from lager_lite.evaluation.records import Evaluation, MethodResult, Verdict
from lager_lite.evaluation.results import EvaluationRun, Origin, load_run, run_json, save_run
from lager_lite.fitting import copies_apart
from lager_lite.records import Item
from lager_lite.stats import Estimate, Interval, agreement, annotator_grades, by_criterion, grade_agreement

ORIGIN = Origin(
    model="Tiny (tiny.gguf)",
    fingerprint="sha256:1",
    architecture="llama",
    quantization="Q4_1",
    states=3,
    rubrics={"a": "1", "b": "2"},
    labels=("1", "2", "3", "4", "5"),
    settings={"flash_attn": "auto"},
    versions={"numpy": "2"},
    data="in.jsonl",
    data_hash="ff",
    weights={},
    seconds={"reading": 1.0},
    judgments={"done": 1, "stored": 0, "failed": 0, "prompt_tokens": 1, "evaluated_tokens": 1},
    date="2026-01-01",
)


def run_of(noise, n=60, *, seed=0, first=0, splits=0, **origin):
    """Items `first` to n under the criteria a and b by turns; one method, whose scores are the human ones and noise."""
    rng = np.random.default_rng(7)
    human = rng.integers(1, 6, n).astype(float)
    raw = human + noise * np.random.default_rng(seed).normal(size=n)
    keep = slice(first, n)
    human, raw, criterion = human[keep], raw[keep], np.array(["a", "b"])[np.arange(n) % 2][keep]
    whole = agreement(raw, human)
    method = MethodResult(
        name="uniform",
        overall=whole,
        interval=None,
        calibrated_mae=whole.mae,
        criteria=by_criterion(raw, human, criterion),
        mean_of_criteria=None,
        gain=None,
        over_baseline=Estimate(0.1, Interval(0.0, 0.2, 0.95, 10)),
        equal_surface=None,
        near_pairs=0,
        near_accuracy=None,
        length=None,
        grades=grade_agreement(raw, human, [1, 5], threshold=4.0),
        lenses=(),
        raw=tuple(raw.tolist()),
        calibrated=tuple(raw.tolist()),
        ranks=(tuple(raw.tolist()),) * splits,
    )
    ids = tuple(f"i{k}" for k in range(first, n))
    found = Evaluation(
        n=n - first,
        groups=12,
        folds=5,
        seed=0,
        splits=5,
        held_out=None,
        baseline="e_score",
        methods=(method,),
        ceiling=None,
        annotators=annotator_grades([[1, 2], [2, 2]], [1, 2]),
        verdict=Verdict("uniform", "e_score", "better", Estimate(0.1, None), "text"),
        warnings=(),
        values=(1.0, 2.0, 3.0, 4.0, 5.0),
        items=ids,
        criterion=tuple(criterion.tolist()),
        group=tuple(f"g{k % 12}" for k in range(first, n)),
        human=tuple(human.tolist()),
        length=(),
        layers=(),
        fitted=(),
    )
    return EvaluationRun(found, replace(ORIGIN, **origin))


def test_the_better_run_is_better_on_the_shared_items_overall_and_by_criterion():
    a, b = run_of(3.0, seed=1), run_of(0.3, seed=2, quantization="Q8_0")
    found = compare(a, b, resamples=200)
    pair = found.methods[0]
    assert (found.n, found.groups) == (60, 12)
    assert pair.overall.b.spearman - pair.overall.a.spearman == pytest.approx(pair.overall.difference.value)
    assert pair.overall.difference.interval.low > 0 and pair.overall.difference.share == 1.0
    assert set(pair.criteria) == {"a", "b"} and pair.criteria["a"].a.n == 30
    assert pair.error[2].value == pytest.approx(pair.error[1] - pair.error[0]) and pair.error[2].interval.high < 0
    assert pair.error[2].share == 1.0, "B errs less in every resample"
    assert found.differences == (("quantization", "Q4_1", "Q8_0"),)


def test_a_run_against_itself_differs_in_nothing():
    found = compare(run_of(1.0), run_of(1.0), resamples=50)
    pair = found.methods[0]
    assert (pair.overall.difference.value, pair.moved, pair.order) == (0.0, 0.0, pytest.approx(1.0))
    assert pair.overall.difference.interval.low == pair.overall.difference.interval.high == 0.0
    assert pair.overall.difference.share == 0.5 and found.differences == ()


def test_what_was_ranked_in_different_folds_has_no_difference():
    a, b = run_of(0.5, splits=2), run_of(0.6, seed=1, splits=2)
    assert compare(a, b, resamples=50).methods[0].overall.difference.value is not None
    b = replace(b, evaluation=replace(b.evaluation, folds=12))
    found = compare(a, b, resamples=50)
    pairs = [found.methods[0].overall, *found.methods[0].criteria.values()]
    assert [pair.difference.value for pair in pairs] == [None] * 3 and pairs[0].b.spearman > 0.5
    assert found.caveats == (
        "A was split into 5 folds and B into 12. What was fitted is ranked inside the folds, and agrees the less the "
        "smaller they are, so there is no difference of uniform: evaluate both in the same number of folds.",
    )


def test_what_a_run_says_of_copies_that_folds_part_is_said_of_the_comparison():
    long = "We are sorry to hear that your parcel has not arrived yet, and we shall ask the carrier today where it is."
    copies = copies_apart([Item("1", {"response": long}), Item("2", {"response": long})], ["a", "b"])
    a, b = run_of(0.5), run_of(0.6)
    b = replace(b, evaluation=replace(b.evaluation, warnings=("there are only 6 groups", *copies)))
    assert compare(a, b, resamples=50).caveats == (f"B: {copies[0]}",)


def test_scores_that_only_the_levels_of_the_folds_tell_apart_have_no_figures():
    """Every fold has its own level, which follows people's scores; inside the folds all scores are equal."""
    good, flat = run_of(1.0, splits=1), run_of(0.0, splits=1)
    method = replace(flat.evaluation.methods[0], ranks=((0.5,) * 60,), calibrated_mae=None)
    flat = replace(flat, evaluation=replace(flat.evaluation, methods=(method,)))
    pair = compare(good, flat, resamples=50).methods[0]
    known, none = pair.overall.a, pair.overall.b
    assert known.kendall is not None and known.pearson is None
    assert (none.spearman, none.pearson, none.kendall, none.mae) == (None, None, None, None)
    assert none.undefined == "all predictions are equal" and pair.error is None


def test_items_that_one_run_lacks_are_counted_and_named():
    found = compare(run_of(1.0, n=60), run_of(1.0, n=60, first=57), resamples=50)
    assert (found.n, len(found.only_a), found.only_b) == (3, 57, ())
    assert found.only_a[:2] == ("i0 (a)", "i1 (b)")
    assert found.differences == (("n", "60", "3"),)


def test_runs_that_cannot_be_compared_are_refused():
    a, b = run_of(1.0), run_of(1.0)
    others = replace(b, evaluation=replace(b.evaluation, items=tuple(f"x{k}" for k in range(60))))
    with pytest.raises(DataError) as caught:
        compare(a, others)
    assert caught.value.message == (
        "the two evaluations share no judgment: A has i0 (a), i1 (b), i2 (a), i3 (b), i4 (a), ..., "
        "B has x0 (a), x1 (b), x2 (a), x3 (b), x4 (a), ..."
    )
    human = list(b.evaluation.human)
    human[1] += 1
    with pytest.raises(DataError, match=r"the human scores of 1 of 60 shared judgments differ \(i1 \(b\): "):
        compare(a, replace(b, evaluation=replace(b.evaluation, human=tuple(human))))


def test_methods_settings_and_groups_that_differ_are_said():
    a, b = run_of(1.0), run_of(1.0, rubrics={"a": "1", "b": "3"}, settings={"flash_attn": "off"}, versions={})
    other = replace(b.evaluation.methods[0], name="full")
    b = replace(b, evaluation=replace(b.evaluation, methods=(other,), group=("g",) * 60, seed=4))
    found = compare(a, b, resamples=50)
    assert (found.methods, found.methods_a, found.methods_b) == ((), ("uniform",), ("full",))
    assert found.differences == (
        ("rubrics: b", "2", "3"),
        ("settings: flash_attn", "auto", "off"),
        ("versions: numpy", "2", "-"),
        ("seed", "0", "4"),
        ("group", "60 judgments", "in other groups"),
    )


def test_a_run_survives_its_file(tmp_path):
    run = run_of(1.0, splits=2)
    save_run(tmp_path / "a.json", run)
    assert load_run(tmp_path / "a.json") == run
    assert (tmp_path / "a.json").read_text() == run_json(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[:-20], "is not JSON"),
        (lambda t: "[1]", "is not an evaluation of lager-lite"),
        (lambda t: t.replace('"version": 2,', '"version": 9,', 1), "has version 9, this program knows 2"),
        (lambda t: t.replace('"n": 60', '"n": 61', 1), "is corrupt: ValueError"),
        (lambda t: t.replace('"gain"', '"lost"'), "is corrupt: KeyError"),
    ],
)
def test_a_file_that_is_no_run_is_refused(tmp_path, change, message):
    (tmp_path / "a.json").write_text(change(run_json(run_of(1.0))))
    with pytest.raises(DataError, match=message):
        load_run(tmp_path / "a.json")


def test_the_command_prints_tables_or_json(tmp_path):
    save_run(tmp_path / "a.json", run_of(3.0, seed=1))
    save_run(tmp_path / "b.json", run_of(0.3, seed=2, first=2, quantization="Q8_0"))
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    done = CliRunner().invoke(main, ["compare", *files], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout.startswith("58 judgments in 12 groups, in both\n")
    assert "quantization  Q4_1  Q8_0" in done.stdout and "\nuniform " in done.stdout and "100%" in done.stdout
    assert done.stderr == "Warning: 2 judgments are in A only: i0 (a), i1 (b)\n"
    whole = json.loads(CliRunner().invoke(main, ["compare", *files, "--json"]).stdout)
    assert whole["methods"][0]["overall"]["a"]["n"] == 58
    missing = CliRunner().invoke(main, ["compare", files[0], str(tmp_path / "none.json")])
    assert missing.exit_code == 1 and "none.json cannot be read: No such file or directory" in missing.stderr
