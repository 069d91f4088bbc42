from __future__ import annotations

import json

import pytest

from lager_lite.evaluation.results import load_run


@pytest.fixture(scope="module")
def run(invoke, tiny_model, tmp_path_factory):
    """Runs a command on 30 scored rows by six authors, readings shared by all runs."""
    folder = tmp_path_factory.mktemp("eval")
    (folder / "good.toml").write_text('scale = "1-5"\ncriterion = "Is it good?"\ntemplate = "{sections} {criterion}"\n')
    lines = [{"id": str(n), "response": f"text {n}", "author": f"A{n % 6}", "score": 1 + n % 5} for n in range(30)]
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    common = [
        str(folder / "in.jsonl"),
        "-m",
        str(tiny_model),
        "-r",
        str(folder / "good.toml"),
        "--store",
        str(folder / "s.sqlite"),
        "--no-guard",
    ]

    def call(command, *arguments):
        return invoke(command, *common, *arguments)

    call.folder = folder
    return call


def test_kinds_criteria_recipes_and_groups_are_chosen(run):
    path = run.folder / "e.json"
    more = (
        "--kind",
        "signed",
        "--kind",
        "uniform",
        "--by-criterion",
        "--like",
        "paper",
        "--group",
        "author",
        "--cv",
        3,
        "--splits",
        2,
        f"--json={path}",
    )
    done = run("eval", *more)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("30 judgments in 6 groups, 3 folds, split 2 times\n")
    found = load_run(path)
    names = ["direct", "e_score", "length", "surface", "uniform", "signed", "signed by criterion", "like paper"]
    assert [m.name for m in found.evaluation.methods] == names
    assert [f"\n{name} " in done.stdout for name in names] == [True] * 8
    assert found.evaluation.group[:7] == ("A0", "A1", "A2", "A3", "A4", "A5", "A0")
    assert found.evaluation.verdict.text in done.stdout
    assert "Warning: there are only 30 labels" in done.stderr and "Warning: there are only 6 groups" in done.stderr
    origin = found.origin
    assert (origin.data, origin.labels, set(origin.rubrics)) == ("in.jsonl", ("1", "2", "3", "4", "5"), {"good"})
    assert len(origin.data_hash) == 64 and origin.judgments["done"] == 30 and origin.weights == {}
    assert set(origin.seconds) == {"reading", "evaluation"} and "llama-cpp-python" in origin.versions


def test_json_on_stdout_is_alone_there(run):
    done = run("eval", "--kind", "uniform", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["schema"] == "lager-lite/evaluation"


def test_given_weights_are_evaluated_beside_the_baselines(run):
    weights = run.folder / "w.json"
    fitted = run("fit", "--kind", "signed", "-o", weights)
    assert fitted.exit_code == 0, fitted.output
    again = run("fit", "--kind", "signed", "-o", run.folder / "again.json")
    assert "\n30 judgments, 30 from the store; " in again.stderr
    done = run("eval", "-w", weights, "--include-seen", f"--json={run.folder / 'given.json'}")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("30 judgments in 30 groups, weights as given\n")
    found = load_run(run.folder / "given.json")
    assert [m.name for m in found.evaluation.methods] == [
        "direct",
        "e_score",
        "uniform",
        "length",
        "surface",
        "tuned",
    ]
    assert found.origin.weights["file"] == "w.json"
    assert "30 of 30 judgments are of items or groups that the weights were fitted on" in done.stderr


def test_a_report_is_written(run):
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    done = run("eval", "--kind", "signed", "--report", run.folder / "r.html")
    assert done.exit_code == 0, done.output
    assert (run.folder / "r.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-w", "w.json", "--cv", "3"), "-w uses weights as they are: leave out --cv"),
        (("-w", "w.json", "--by-criterion"), "-w uses weights as they are: leave out --by-criterion"),
        (("-w", "w.json", "--curve"), "-w uses weights as they are: leave out --curve"),
        (("-w", "w.json", "--like", "paper"), "-w uses weights as they are: leave out --like"),
        (("-w", "w.json", "--kind", "full"), "-w uses weights as they are: leave out --kind"),
        (("-w", "w.json", "--hold-out", "author"), "-w uses weights as they are: leave out --hold-out"),
        (("--force",), "--force is about the weights of -w: give some"),
    ],
)
def test_options_that_exclude_each_other_are_wrong_usage(run, options, message):
    done = run("eval", *options)
    assert done.exit_code == 2 and message in done.stderr


def test_a_field_to_hold_out_that_rows_lack_is_an_error_before_the_model_is_opened(run):
    done = run("eval", "--hold-out", "writer", "-m", "none.gguf")
    assert done.exit_code == 1
    assert "the field 'writer' cannot be held out: it is missing in 30 of 30 items, first in " in done.stderr


def test_a_group_field_that_no_row_has_is_an_error_before_the_model_is_opened(run):
    done = run("eval", "--group", "writer", "-m", "none.gguf")
    assert done.exit_code == 1
    assert "Error: no item has the field 'writer' to group by\nTry: the fields are: author, response\n" in done.stderr


def test_curve_shows_what_fewer_labels_reach_and_is_kept_with_the_run(run):
    path = run.folder / "curve.json"
    done = run("eval", "--kind", "signed", "--curve", "--splits", 1, f"--json={path}")
    assert done.exit_code == 0, done.output
    assert "\nLearning curve: what signed weights reach that are fitted to fewer labels\n" in done.stdout
    assert "\n50 more labels of new groups would add about " in done.stdout
    curve = load_run(path).evaluation.curve
    assert [round(p.labels) for p in curve.points][-1] == 24 and len(curve.points) >= 2
    held = [m.held for m in load_run(path).evaluation.methods if m.name == "signed"]
    assert held[0] is not None and f"{held[0].share:.0%}" in done.stdout
