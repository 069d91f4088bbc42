"""What can be known without the model is said before it loads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def refused(run, tmp_path: Path):
    """Runs a command whose model does not exist: an error about anything else was found before it was looked for."""

    def call(*words: object, code: int = 1) -> str:
        done = run(*words, "-m", "no-such-model.gguf")
        assert done.exit_code == code, done.output
        return done.stderr

    return call


def labelled(folder: Path, scores: list[int], **more: object) -> None:
    rows = [{"id": f"i{n}", "response": f"text {n}", "score": score, **more} for n, score in enumerate(scores)]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


COMMANDS = {"eval": (), "fit": ("-o", "w.json"), "knowledge": ("-n", 20)}


@pytest.mark.parametrize("name", ["eval", "fit"])
def test_a_rubric_without_human_scores_is_named(refused, tmp_path, name):
    row = {"response": "text", "scores": {"helpfulness": 3}}
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"id": n, **row}) + "\n" for n in range(12)))
    said = refused(name, "in.jsonl", "-r", "helpfulness", "-r", "fluency", *COMMANDS[name])
    assert "no item has a human score for the rubric fluency; scores found: helpfulness" in said


@pytest.mark.parametrize("name", ["fit", "knowledge"])
def test_fewer_groups_than_folds_are_said(refused, tmp_path, name):
    labelled(tmp_path, [1, 2, 3, 4, 5] * 4, group="one text", instruction="Name one.")
    assert "1 group cannot be split into 5 folds" in refused(name, "in.jsonl", "-r", "good.toml", *COMMANDS[name])


def test_pairs_of_too_few_groups_and_equal_grades_are_said(refused, tmp_path):
    def write(scores: tuple[int, int], groups: int) -> None:
        rows = [{"instruction": f"Name {n}.", "response": f"r{s}", "score": s} for n in range(groups) for s in scores]
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    write((1, 5), 4)
    said = refused("rank", "in.jsonl", "--cv", 5)
    assert "4 groups cannot be split into 5 folds\nTry: label items of more groups, or ask for 4 folds\n" in said
    write((1, 5), 2)
    assert "2 groups leave a training part with one" in refused("rank", "in.jsonl", "--cv", 2)
    assert "--hold-out is about weights that are fitted in folds" in refused(
        "rank", "in.jsonl", "--hold-out", "x", code=2
    )
    write((1, 5), 9)
    said = refused("rank", "in.jsonl", "--cv", 3, "--hold-out", "system")
    assert "the field 'system' cannot be held out: it is missing in 18 of 18 items" in said
    pairs = [
        {"id": f"p{n}", "instruction": f"Name {n}.", "response_a": "a", "response_b": f"b{n}", "preference": "a"}
        for n in range(9)
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))
    for words, told in (
        ((), "give --cv"),
        (("--cv", 3), "the systems cannot be held out: 9 of 9 pairs do not name both"),
    ):
        said = refused("pairs", "pairs.jsonl", "--hold-out", "system", *words, code=1 if words else 2)
        assert told in said
    write((3, 3), 8)
    for option in ("--json", "--cv=2"):
        assert "no two responses to one instruction have different human scores" in refused("rank", "in.jsonl", option)


@pytest.mark.parametrize("name", COMMANDS)
def test_scores_outside_the_scale_are_said(refused, tmp_path, name):
    labelled(tmp_path, [1, 2, 3, 4, 9] * 4, instruction="Name one.")
    said = refused(name, "in.jsonl", "-r", "good.toml", *COMMANDS[name])
    assert "4 of 20 human scores lie outside the scale 1-5 of rubric" in said


@pytest.mark.parametrize("scores", [[5] * 12, [5] * 11 + [1]])
def test_fit_needs_more_than_one_score(refused, tmp_path, scores):
    labelled(tmp_path, scores)
    said = refused("fit", "in.jsonl", "-r", "good.toml", "-o", "w.json")
    where = " outside the group 'i11'" if 1 in scores else ""
    assert f"all human scores{where} are 5: weights cannot be fitted on one score alone" in said


def test_a_rare_label_leaves_the_baselines_of_eval(run, tmp_path, tiny_model):
    labelled(tmp_path, [5] * 11 + [1])
    done = run("eval", "in.jsonl", "-r", "good.toml", "-m", tiny_model, "-t", 1, "--no-guard")
    assert done.exit_code == 0, done.output
    assert "\ndirect " in done.stdout and "\ne_score " in done.stdout and "\nfull " not in done.stdout
    assert done.stderr.count("simplex, signed, full: not fitted, since in a part of the items all ") == 1
    assert "No weights were fitted, so there is no verdict on any." in done.stdout


def test_weights_of_another_model_scale_or_rubric_are_refused_before_the_model_is_loaded(
    run, tmp_path, tiny_model, monkeypatch
):
    from tests.model_files.tiny import write_tiny_model

    labelled(tmp_path, [1, 2, 3, 4, 5] * 4)
    common = ("in.jsonl", "-r", "good.toml", "-t", 1, "--no-guard")
    assert run("fit", *common, "--kind", "signed", "-m", tiny_model, "-o", "w.json").exit_code == 0
    other = write_tiny_model(tmp_path / "other.gguf", "llama", n_blocks=2)
    monkeypatch.setattr("lager_lite.cli.options.judging.Judge", lambda *_, **__: pytest.fail("the model was loaded"))
    for name in ("score", "eval", "inspect"):
        done = run(name, *common, "-m", other, "-w", "w.json")
        assert done.exit_code == 1 and "Error: the weights cannot be used: " in done.stderr, done.output
        (tmp_path / "bad.toml").write_text((tmp_path / "good.toml").read_text().replace("?", "??"))
        for options, said in {
            ("--scale", "1-6"): "fitted for the labels 1, 2, 3, 4, 5; this rubric has",
            ("-r", "bad.toml"): "fitted for the rubric good, not for 'bad'",
        }.items():
            done = run(name, *common, "-m", tiny_model, "-w", "w.json", *options)
            assert done.exit_code == 1 and said in done.stderr, done.output
