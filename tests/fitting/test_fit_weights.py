"""From labelled items to a weights file, and the choice of a shorter pass."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.errors import FitError
from lager_lite.fitting.choosing import FitPlan, ranks_by_kind
from lager_lite.fitting.fit_weights import Shorter, _tradeoff, shortest
from lager_lite.fitting.folds import pooled_spearman
from lager_lite.fitting.labelled import Labelled
from lager_lite.fitting.panel import fit_panel
from lager_lite.records import Scale
from lager_lite.scoring import Provenance
from lager_lite.scoring.weights import load_weights
from lager_lite.stats import agreement

POINTS = [
    Shorter(0, None, None),
    Shorter(2, 0.30, None),
    Shorter(4, 0.495, None),
    Shorter(6, 0.49, None),
    Shorter(8, 0.50, None),
]


def test_the_shortest_pass_within_the_tolerance_is_taken():
    assert shortest(POINTS, 8, 1.0, 0.01) == (POINTS[2], "")
    assert shortest(POINTS, 8, 1.0, 0.001)[0].state == 8


def test_a_budget_that_costs_agreement_says_how_much():
    point, warning = shortest(POINTS, 8, 0.25, 0.01)
    assert point.state == 2
    assert warning == "within the budget the agreement is 0.300, 0.200 below the best"
    with pytest.raises(FitError, match="no state within 10% of 8 blocks has an agreement"):
        shortest(POINTS, 8, 0.1, 0.01)


def test_a_pass_that_tells_no_item_apart_has_no_agreement_from_the_levels_of_the_folds():
    human, states = np.random.default_rng(0).integers(1, 6, 60).astype(float), np.zeros((60, 3, 5))
    names = np.arange(60).astype(str)
    single = tuple((h,) for h in human)
    data = Labelled(states, states, human, single, np.full(60, "a"), names, names, np.arange(1.0, 6.0), ())
    points = _tradeoff(data, "raw", FitPlan(kind="signed"))
    assert [(point.spearman, point.interval) for point in points] == [(None, None)] * 3


def test_ties_inside_folds_cost_nothing_in_what_a_fit_says_of_its_weights():
    """Nearly all items get one score: 0.6 of the agreement was left where ranks inside folds were ranked again."""
    rng = np.random.default_rng(0)
    human = np.clip(np.round(3 + 1.3 * rng.normal(size=120)), 1, 5)
    most = np.where((human == 5) & (rng.random(120) < 0.6), 1.0, 0.0)
    states = np.zeros((120, 2, 5)) + most[:, None, None] * np.arange(5.0)
    names, single = np.arange(120).astype(str), tuple((h,) for h in human)
    data = Labelled(states, states, human, single, np.full(120, "a"), names, names, np.arange(1.0, 6.0), ())
    plain = agreement(most, human).spearman
    plan = FitPlan(kind="uniform")
    assert pooled_spearman(ranks_by_kind(data, plan)["uniform"], human) == pytest.approx(plain, abs=0.03)
    assert [point.spearman for point in _tradeoff(data, "raw", plan)] == pytest.approx([plain] * 2, abs=0.03)
    about = Provenance("sha256:a", "llama", "F32", 2, Scale(tuple("12345"), (1.0, 2.0, 3.0, 4.0, 5.0)), {})
    assert fit_panel([data, data], [about, about], plan).agreement == pytest.approx(plain, abs=0.03)


@pytest.fixture
def labelled(tmp_path):
    rows = [
        {"id": str(n), "response": f"text {n} " * (n % 7 + 1), "scores": {"fluency": 1 + n % 5, "relevance": 5 - n % 5}}
        for n in range(40)
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def run(*arguments):
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return done


def test_weights_of_few_states_end_the_pass_and_have_no_baselines(tmp_path, labelled, tiny_model):
    weights, common = tmp_path / "w.json", ("-m", tiny_model, "-r", "fluency", "--no-store")
    shown = run("fit", labelled, *common, "--kind", "signed", "--max-state", 1, "-o", weights)
    assert "states    0 to 1 of 3: the pass ends there" in shown.stdout
    file = load_weights(weights)
    assert file.max_state == 1 and file.provenance.fit["items"] == 40
    row = json.loads(run("score", labelled, *common, "-w", weights, "-n", 1).stdout)
    assert row["score"] is not None
    assert [row[name] for name in ("direct", "e_score", "uniform", "mass")] == [None] * 4


def test_a_budget_prints_its_tradeoff_and_criteria_get_their_own_weights(tmp_path, labelled, tiny_model):
    weights = tmp_path / "w.json"
    common = ("-m", tiny_model, "-r", "fluency", "-r", "relevance", "--no-store", "--kind", "signed", "-o", weights)
    shown = run("fit", labelled, *common, "--budget", 0.7, "--by-criterion")
    assert "pass ends after state" in shown.stdout
    file = load_weights(weights)
    assert file.max_state <= 2 and sorted(file.by_rubric) == ["fluency", "relevance"]
    assert file.of("fluency").weights.tolist() != file.of("relevance").weights.tolist()
    assert file.of("another") is file.weights


def test_who_wrote_the_responses_of_several_groups_is_said(tmp_path, tiny_model):
    rows = [{"id": str(n), "response": f"text {n}", "system": "AB"[n % 2], "score": 1 + n % 5} for n in range(20)]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    how = ("-m", tiny_model, "-r", "fluency", "--no-store", "--kind", "uniform", "-o", tmp_path / "w.json")
    said = run("fit", path, *how)
    assert "lager-lite eval --hold-out system shows what they are worth for other systems" in said.stderr.replace(
        "\n", " "
    )


@pytest.mark.parametrize("choice", [("--kind", "signed"), ("--like", "authors-code")])
def test_folds_hold_enough_judgments_to_be_ranked_in(tmp_path, labelled, tiny_model, choice):
    weights = tmp_path / "w.json"
    said = run("fit", labelled, "-m", tiny_model, "-r", "fluency", "--no-store", "-o", weights, *choice, "--cv", 60)
    assert "60 folds of 40 judgments would hold about 1 each" in said.stderr
    assert load_weights(weights).provenance.fit["folds"] == 5


def test_a_preset_is_fitted_and_excludes_other_choices(tmp_path, labelled, tiny_model):
    weights = tmp_path / "w.json"
    common = ("fit", labelled, "-m", tiny_model, "-r", "fluency", "--no-store", "-o", weights, "--like", "authors-code")
    run(*common)
    file = load_weights(weights)
    assert file.weights.kind == "simplex" and file.max_state == 2
    refused = CliRunner().invoke(main, [*map(str, common), "--budget", "0.5"])
    assert refused.exit_code == 2 and "--like decides everything itself" in refused.output


def test_items_that_the_weights_were_fitted_on_are_left_out_unless_asked_for(tmp_path, labelled, tiny_model):
    weights, common = tmp_path / "w.json", ("-m", tiny_model, "-r", "fluency", "--no-store", "-t", 1)
    run("fit", labelled, *common, "--kind", "signed", "-n", 25, "-o", weights)
    shown = run("eval", labelled, *common, "-w", weights)
    assert (
        "25 of 40 judgments are of items or groups that the weights were fitted on: they are left out" in shown.stderr
    )
    assert shown.stdout.startswith("15 judgments")
    figures = tmp_path / "run.json"
    shown = run("eval", labelled, *common, "-w", weights, "-q", f"--json={figures}")
    assert "; 25 more that the weights were fitted on are left out\n" in shown.stdout and not shown.stderr
    assert json.loads(figures.read_text(encoding="utf-8"))["evaluation"]["left_out"] == 25
    shown = run("eval", labelled, *common, "-w", weights, "--include-seen")
    assert "fitted on: the figures are too good" in shown.stderr and shown.stdout.startswith("40 judgments")
    told = "Too good: 25 of 40 judgments are of items or groups that the weights were fitted on. The given weights"
    shown = run("eval", labelled, *common, "-w", weights, "--include-seen", "-q", f"--json={figures}")
    assert not shown.stderr and told in shown.stdout
    found = json.loads(figures.read_text(encoding="utf-8"))["evaluation"]
    assert found["seen"] == 25 and found["verdict"]["text"].startswith(told)
    assert f"B: {told.removesuffix(' The given weights')}" in run("compare", figures, figures).stdout
    refused = CliRunner().invoke(main, [str(a) for a in ("eval", labelled, *common, "-w", weights, "-n", 25)])
    assert refused.exit_code == 1 and "nothing is left to evaluate" in refused.output


def test_weights_of_states_are_fitted_scored_and_evaluated(tmp_path, labelled, tiny_model):
    weights, common = tmp_path / "w.json", ("-m", tiny_model, "-r", "fluency", "--store", tmp_path / "s.sqlite")
    shown = run("fit", labelled, *common, "--kind", "states", "--keep-states", "-o", weights)
    assert "kind      states" in shown.stdout and "(nested folds)" in shown.stdout
    assert load_weights(weights).weights.weights.shape == (4, 64)
    row = json.loads(run("score", labelled, *common, "-w", weights, "-n", 1).stdout)
    assert 1 <= row["raw_score"] <= 5 and row["e_score"] is not None
    assert 1 <= row["low"] <= row["score"] <= row["high"] <= 5
    table = run("eval", labelled, *common, "--kind", "states")
    assert "states" in table.stdout and "40 from the store" in table.stderr


def test_by_default_the_kind_is_chosen_and_all_that_were_tried_are_shown(tmp_path, labelled, tiny_model):
    shown = run("fit", labelled, "-m", tiny_model, "-r", "fluency", "--no-store", "-o", tmp_path / "w.json")
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("tried")]
    # 40 judgments are fewer than 4 states of 5 labels in two lenses want, but more than one lens has.
    assert [part.split()[0] for part in line.removeprefix("tried").split(",")] == [
        "uniform",
        "signed",
        "full",
        "states",
    ]
    assert load_weights(tmp_path / "w.json").weights.kind in line
