"""Panels on the command line and from Python, with tiny models of two tokenizers."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from lager_lite.cli.show.panels import show_fitted_panel
from lager_lite.errors import JudgeWarning, WeightsError
from lager_lite.judging import Judge, Panel, Store
from lager_lite.records import Item
from tests.model_files.tiny import write_tiny_model

RUBRIC = 'scale = "1-5"\ncriterion = "Is it good?"\ntemplate = "{sections} {criterion}"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_model):
    """30 scored rows, a rubric, and two tiny models: a.gguf and b.gguf."""
    found = tmp_path_factory.mktemp("panel")
    (found / "good.toml").write_text(RUBRIC)
    rows = [{"id": n, "response": f"text {n} {'so ' * (n % 7)}", "score": 1 + n % 5} for n in range(30)]
    (found / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (found / "a.gguf").symlink_to(tiny_model)
    write_tiny_model(found / "b.gguf", "llama", seed=7, n_blocks=3)
    return found


@pytest.fixture
def run(folder, invoke, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LAGER_LITE_STORE", str(folder / "store.sqlite"))

    def call(command, *words, models=("a.gguf", "b.gguf")):
        given = [word for model in models for word in ("-m", model)]
        return invoke(command, "in.jsonl", *given, "-r", "good.toml", "-t", 1, "--no-guard", *words)

    return call


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_without_weights_the_score_is_the_mean_of_the_members_e_scores(run, folder):
    done = run("score", "-o", "p.jsonl")
    assert done.exit_code == 0, done.stderr
    assert "no weights (-w): the score is the mean of the members' e_scores" in done.stderr
    alone = []
    for model in ("a.gguf", "b.gguf"):
        again = run("score", "-o", "one.jsonl", models=(model,))
        assert "30 from the store" in again.stderr and "; 0 of" in again.stderr, (
            "one store for the panel and for each alone"
        )
        alone.append(rows_of(folder / "one.jsonl"))
    for row, one, other in zip(rows_of(folder / "p.jsonl"), *alone, strict=True):
        assert row["id"] == one["id"] and row["members"] == [one["score"], other["score"]]
        assert row["score"] == pytest.approx((one["e_score"] + other["e_score"]) / 2, abs=2e-6)
        assert row["score"] == pytest.approx(sum(int(k) * v for k, v in row["probabilities"].items()), abs=1e-5)
        assert row["mass"] == min(one["mass"], other["mass"]) and row["tokens"] == one["tokens"] + other["tokens"]


def test_fit_makes_weights_that_score_uses_and_that_no_other_panel_may_use(run, folder):
    done = run("fit", "-o", "w.json", "--kind", "signed", "--cv", 3)
    assert done.exit_code == 0, done.stderr
    assert " from the store; " in done.stderr
    assert "member" in done.stdout and "panel" in done.stdout and "written   w.json" in done.stdout
    done = run("score", "-w", "w.json", "-o", "p.jsonl")
    assert done.exit_code == 0, done.stderr
    first = rows_of(folder / "p.jsonl")[0]
    assert {"low", "high", "members"} <= first.keys() and "no weights" not in done.stderr
    swapped = run("score", "-w", "w.json", models=("b.gguf", "a.gguf"))
    assert swapped.exit_code == 1 and "Try: give them as -m a.gguf -m b.gguf" in swapped.stderr
    for models, words in (
        (("a.gguf",), "holds the weights of a panel of 2 models"),
        (("a.gguf", "a.gguf"), "same model"),
    ):
        refused = run("score", "-w", "w.json", models=models)
        assert refused.exit_code == 1 and words in refused.stderr, refused.stderr
    single = run("fit", "-o", "one.json", "--kind", "uniform", models=("a.gguf",))
    assert single.exit_code == 0
    refused = run("score", "-w", "one.json")
    assert refused.exit_code == 1 and "holds the weights of one model" in refused.stderr
    # The weights know every item of this file.
    done = run("eval", "-w", "w.json", "--include-seen", "--json=run.json")
    assert done.exit_code == 0 and "\ntuned " in done.stdout, done.output
    assert "the figures are too good" in done.stderr


def test_eval_shows_every_member_and_the_panel_in_the_same_folds(run, folder):
    done = run("eval", "--kind", "signed", "--cv", 3, "--splits", 2, "--json=run.json")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("Panel of 2 models\n  A  ")
    for name in ("e_score", "length", "surface", "signed"):
        assert f"\n{name} " in done.stdout
    whole = json.loads((folder / "run.json").read_text())
    alone = run("eval", "--kind", "signed", "--cv", 3, "--splits", 2, "--json=one.json", models=("b.gguf",))
    assert alone.exit_code == 0
    mine = json.loads((folder / "one.json").read_text())["evaluation"]["methods"]
    assert whole["members"][1]["evaluation"]["methods"] == mine, "a member's figures are those of a run of its own"
    by_name = {row["method"]: row for row in whole["beside"]}
    assert by_name["signed"]["panel"]["value"] == pytest.approx(
        next(m for m in whole["evaluation"]["methods"] if m["name"] == "signed")["overall"]["spearman"], abs=1e-6
    )
    assert len(whole["shares"]["signed"]) == 2 and whole["origin"]["fingerprint"].count("sha256:") == 2


@pytest.mark.parametrize(
    ("command", "words", "named"),
    [
        ("score", ("--per-layer",), "--per-layer"),
        ("score", ("--reason", 5), "--reason"),
        ("score", ("--ray", "--workers", 2), "--ray"),
        ("eval", ("--report", "r.html"), "--report"),
        ("eval", ("--shard", "1/2"), "--shard"),
        ("eval", ("--like", "paper"), "--like"),
        ("eval", ("--by-criterion",), "--by-criterion"),
        ("fit", ("-o", "x.json", "--budget", 0.5), "--budget"),
        ("fit", ("-o", "x.json", "--max-state", 2), "--max-state"),
        ("fit", ("-o", "x.json", "--control", "length"), "--control"),
    ],
)
def test_options_about_one_model_are_refused(run, command, words, named):
    done = run(command, *words)
    assert done.exit_code == 2
    assert f"Error: {named} is about one model: leave it out, or give one -m" in done.stderr


def test_members_with_other_tokens_for_the_labels_judge_together(folder, sdist_folder, tmp_path):
    vocabulary = sdist_folder / "vendor" / "llama.cpp" / "models" / "ggml-vocab-llama-spm.gguf"
    other = write_tiny_model(tmp_path / "spm.gguf", "llama", vocab_from=vocabulary, n_blocks=2)
    panel = Panel([folder / "a.gguf", other], rubric=folder / "good.toml")
    items = [Item("x", {"response": "some text"}), {"id": 7, "response": "another"}]
    found = list(panel.score(items))
    assert [one.id for one in found] == ["x", "7"] and found[1].id.number == 7
    alone, ids = [], set()
    for model in (folder / "a.gguf", other):
        with Judge(model, rubric=folder / "good.toml") as judge:
            alone.append([one.score for one in judge.score(items)])
            ids.add(judge.labels["good"].ids)
    assert len(ids) == 2
    np.testing.assert_allclose([one.score for one in found], np.mean(alone, axis=0), atol=1e-9)


def test_a_member_that_cannot_be_opened_is_named(folder):
    panel = Panel([folder / "a.gguf", folder / "b.gguf"], rubric=folder / "good.toml", max_state=99)
    with pytest.raises(WeightsError, match="^a: state 99 was asked for, the model has 0 to "), panel.opened(0):
        pass


def test_what_is_undefined_is_a_dash_in_the_tables_of_a_panel(capsys):
    member = SimpleNamespace(kind="uniform", lens="raw", strength=None, agreement=None, share=0.5)
    found = SimpleNamespace(members=(member, member), agreement=None, items=9, groups=3, trivial={})
    show_fitted_panel(found, ("a", "b"), "w.json")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["a", "uniform", "raw", "-", "-", "0.50"],
        ["b", "uniform", "raw", "-", "-", "0.50"],
        ["panel", "-", "1.00"],
    ]


def test_a_copy_and_a_link_of_a_model_are_the_same_model(folder, tmp_path):
    copy = tmp_path / "copy.gguf"
    copy.write_bytes((folder / "b.gguf").read_bytes())
    with pytest.raises(WeightsError, match="the same model: b.gguf and copy.gguf"):
        Panel([folder / "b.gguf", copy])


def test_an_item_that_one_member_cannot_judge_has_its_error(folder):
    panel = Panel([folder / "a.gguf", folder / "b.gguf"], rubric=folder / "good.toml")
    none, fine = panel.score([Item("n", {}), Item("f", {"response": "R"})])
    assert none.score is None and none.error.startswith("no response") and fine.score is not None


def test_a_stopped_panel_goes_on_where_it_stopped_and_names_whom_it_doubts(folder, tmp_path):
    items = [Item(str(n), {"response": f"text {n}"}) for n in range(12)]

    def stop(counts):
        if counts.done > 12:
            raise KeyboardInterrupt

    with Store(tmp_path / "s.sqlite") as store:
        panel = Panel([folder / "a.gguf", folder / "b.gguf"], rubric=folder / "good.toml", store=store)
        with pytest.warns(JudgeWarning) as told, pytest.raises(KeyboardInterrupt):
            list(panel.score(items, progress=stop))
        assert [str(one.message).partition(":")[0] for one in told] == list(panel.names)
        again = Panel([folder / "a.gguf", folder / "b.gguf"], rubric=folder / "good.toml", store=store)
        assert len([one for one in again.score(item for item in items) if one.error is None]) == 12
    assert (again.counts.done, again.counts.stored, again.counts.evaluated_tokens) == (24, 24, 0)
