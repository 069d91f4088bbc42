"""Inspection: contributions by hand and adding up for every kind of weights, disagreement, and the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.errors import DataError
from lager_lite.judging.judge import Judge
from lager_lite.llama.options import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.records import Calibration, Item, LayerWeights
from lager_lite.scoring import aggregate
from lager_lite.scoring.weights import WeightsFile
from lager_lite.tasks.inspection import contributions, inspect_item, parts

VALUES = np.arange(1.0, 6.0)
RNG = np.random.default_rng(0)
BIAS = RNG.normal(size=5)
EVERY = {
    "uniform": aggregate.uniform_weights(7, "raw"),
    "simplex": LayerWeights("simplex", "norm", RNG.dirichlet(np.ones(7))),
    "signed": LayerWeights("signed", "raw", RNG.normal(size=7), BIAS),
    "signed, fewer states": LayerWeights("signed", "raw", RNG.normal(size=4)),
    "full": LayerWeights("full", "norm", RNG.normal(size=(7, 5)) * 0.2, BIAS),
    "full, fewer states": LayerWeights("full", "norm", RNG.normal(size=(3, 5)) * 0.2),
    "mixture": LayerWeights("simplex", "raw", RNG.dirichlet(np.ones(7)), over="probabilities"),
    "a zero": LayerWeights("signed", "raw", np.zeros(7)),
}


@pytest.mark.parametrize("size", [0.01, 1.0, 30.0, 3000.0])
@pytest.mark.parametrize("name", EVERY)
def test_contributions_add_up_to_the_raw_score(name, size):
    """From logits that hardly differ to such as decide everything; the integral is exact to 1e-9 points."""
    weights = EVERY[name]
    for logits in np.random.default_rng(1).normal(size=(20, 7, 5)) * size:
        each, bias = contributions(logits, VALUES, weights)
        _, raw, _ = aggregate.score(logits, VALUES, weights)
        assert 3.0 + each.sum() + bias == pytest.approx(float(raw), abs=1e-9)
        assert not each[len(weights.weights) :].any()


@pytest.mark.parametrize("name", [n for n in EVERY if n != "mixture"])
def test_parts_add_up_to_the_combined_logits(name):
    weights, logits = EVERY[name], np.random.default_rng(2).normal(size=(7, 5))
    total = parts(logits, weights).sum(axis=0) + (0.0 if weights.bias is None else weights.bias)
    np.testing.assert_allclose(total, aggregate.combine(logits, weights), atol=1e-12)


def test_contributions_by_hand():
    """Two labels 0 and 1: the score is the logistic function of the logits' difference d, and its mean slope from 0
    to d is (score - 1/2) / d. State 0 gives d = 3, state 1 takes 1 back, so shares are 3/2 and -1/2."""
    logits, values = np.array([[0.0, 3.0], [0.0, 1.0]]), np.array([0.0, 1.0])
    each, bias = contributions(logits, values, LayerWeights("signed", "raw", np.array([1.0, -1.0])))
    gain = 1 / (1 + np.exp(-2.0)) - 0.5
    assert each == pytest.approx([1.5 * gain, -0.5 * gain], abs=1e-12) and bias == 0.0


def test_what_lifts_all_labels_alike_adds_nothing():
    logits = np.random.default_rng(3).normal(size=(7, 5))
    lifted = logits + np.arange(7)[:, None] * 100.0
    weights = EVERY["signed"]
    np.testing.assert_allclose(
        contributions(lifted, VALUES, weights)[0], contributions(logits, VALUES, weights)[0], atol=1e-9
    )


RUBRIC = make_rubric("good", "Is it good?", template="{sections}\n{criterion}")
ITEM = Item("x", {"response": "some text"}, where="f:1")


def weights_file(judge, weights):
    return WeightsFile(weights=weights, provenance=judge.provenance())


def test_layers_are_those_of_the_reading_and_the_judgment_that_of_the_judge(tiny_model):
    with Judge(tiny_model, rubric=RUBRIC, options=BackendOptions.exact()) as judge:
        ((_, _, reading),) = judge.read([ITEM])
        (judgment,) = judge.score([ITEM])
        (found,) = inspect_item(judge, ITEM)
        assert (found.judgment, found.kind, found.lens, found.bias) == (judgment, "e_score", "raw", 0.0)
        assert [layer.state for layer in found.layers] == list(range(judge.n_states))
        assert found.middle + sum(layer.contribution for layer in found.layers) == pytest.approx(
            judgment.raw_score, abs=1e-9
        )
        alone = aggregate.softmax(reading.raw.astype(float))
        for layer, p, expected in zip(found.layers, alone, judgment.per_layer):
            assert layer.probabilities == pytest.approx(p) and layer.expected == pytest.approx(expected)
            assert layer.label == found.labels[int(p.argmax())] and layer.weight == float(
                layer.state == judge.n_states - 1
            )
            assert layer.apart == pytest.approx(0.5 * sum(abs(a - b) for a, b in zip(p, found.probabilities)))

        few = LayerWeights(
            "signed",
            "norm",
            np.array([2.0, -1.0]),
            BIAS,
            calibration=Calibration("affine", np.array([1.0, 5.0]), np.array([2.0, 4.0])),
        )
        judge.use_weights(weights_file(judge, few))
        (found,) = inspect_item(judge, ITEM)
    assert [layer.weight for layer in found.layers[:3]] == [2.0, -1.0, None] and found.bias != 0
    total = found.middle + found.bias + sum(layer.contribution for layer in found.layers)
    assert total == pytest.approx(found.judgment.raw_score, abs=1e-9) and found.judgment.score == pytest.approx(
        2 + (total - 1) / 2
    )


def test_a_settled_label_is_counted_from_the_last_state_that_says_another():
    """Final label 5: states 0 and 2 say 1, so from state 3 on all agree."""
    from lager_lite.records import Judgment
    from lager_lite.tasks.inspection import _inspection

    logits = np.zeros((5, 5))
    logits[[0, 2], 0], logits[[1, 3, 4], 4] = 3.0, 9.0
    p = dict(zip("12345", (0.1, 0.1, 0.1, 0.1, 0.6)))
    judgment = Judgment("x", "r", 4.0, 4.0, p)
    found = _inspection("r", tuple("12345"), VALUES, logits, aggregate.uniform_weights(5, "raw"), judgment)
    assert (found.settled, found.label, [layer.label for layer in found.layers]) == (3, "5", list("15155"))
    logits[4] = logits[0]
    assert (
        _inspection("r", tuple("12345"), VALUES, logits, aggregate.uniform_weights(5, "raw"), judgment).settled is None
    )


def test_an_item_that_cannot_be_judged_is_an_error_with_its_place(tiny_model):
    with (
        Judge(tiny_model, rubric="helpfulness") as judge,
        pytest.raises(DataError, match=r"f:1: item x \(helpfulness\): no instruction"),
    ):
        inspect_item(judge, ITEM)


@pytest.fixture
def run(tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "store.sqlite"))
    for name in ("good", "fine"):
        (tmp_path / f"{name}.toml").write_text(
            f'criterion = "Is it {name}?"\ntemplate = "{{sections}} {{criterion}}"\n'
        )
    rows = [{"id": f"i{n}", "response": f"text <b>{n}</b>", "score": 1 + n % 5} for n in range(30)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    def invoke(command, *more):
        return CliRunner().invoke(
            main,
            [command, "in.jsonl", "-m", str(tiny_model), "-r", "good.toml", *map(str, more)],
            catch_exceptions=False,
        )

    return invoke


def test_the_table_shows_every_state_and_where_the_score_comes_from(run, tmp_path):
    done = run("inspect", "--json=i.json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads((tmp_path / "i.json").read_text())
    lines = done.stdout.splitlines()
    head = lines.index(next(line for line in lines if line.startswith("state")))
    assert [line.split()[0] for line in lines[head + 2 : head + 3 + len(row["layers"])]] == [
        *map(str, range(len(row["layers"]))),
        "final",
    ]
    assert (
        f"3 (middle) {sum(s['contribution'] for s in row['layers']):+.3f} (states) = {row['judgment']['raw_score']:.3f}"
        in done.stdout
    )
    assert "in.jsonl:1: item i0" in done.stderr


def test_weights_and_the_choice_of_an_item(run, tmp_path):
    assert run("fit", "--kind", "full", "-o", "w.json").exit_code == 0
    by_id = run("inspect", "--id", "i6", "-w", "w.json", "-r", "fine.toml", "--force")
    by_number = run("inspect", "--number", 7, "-w", "w.json", "-r", "fine.toml", "--force")
    assert by_id.exit_code == 0, by_id.output
    assert by_id.stdout == by_number.stdout and by_id.stdout.count("by full weights") == 2
    scored = run("score", "-w", "w.json", "-o", "s.jsonl")
    row = json.loads((tmp_path / "s.jsonl").read_text().splitlines()[6])
    assert f"rubric good: score {row['score']:.3f}" in by_id.stdout and f" = {row['raw_score']:.3f}" in by_id.stdout, (
        scored.output
    )
    assert run("inspect", "--id", "i6", "--number", 7).exit_code == 2
    missing, beyond = run("inspect", "--id", "nobody"), run("inspect", "--number", 31)
    assert missing.exit_code == beyond.exit_code == 1
    assert "in.jsonl: no item has the id 'nobody'" in missing.stderr and "the ids begin with i0, i1" in missing.stderr
    assert "in.jsonl: there is no item 31, the last one is 30" in beyond.stderr


def test_the_page_has_a_heat_map_and_escapes_the_item(run, tmp_path):
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    done = run("inspect", "--report", "i.html", "-r", "fine.toml")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "i.html").read_text()
    assert text.count("<svg") == 4 and "Label probabilities of every state, good" in text
    assert "text &lt;b&gt;0&lt;/b&gt;" in text and "<b>0</b>" not in text
