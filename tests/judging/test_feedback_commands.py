"""Commands with --reason: what they print and store, and what feedback costs."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from lager_lite.evaluation.compare import Cost, cost
from lager_lite.evaluation.results import load_run
from tests.conftest import SHORT_RUBRIC


@pytest.fixture(scope="module")
def run(invoke, tiny_model, tmp_path_factory):
    """Runs a command on 12 scored rows; readings and feedback are shared by all runs."""
    folder = tmp_path_factory.mktemp("reason")
    (folder / "good.toml").write_text(SHORT_RUBRIC)
    rows = [{"id": str(n), "response": f"text {n}", "score": 1 + n % 5} for n in range(12)]
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    files = [folder / "in.jsonl", "-m", tiny_model, "-r", folder / "good.toml", "--store", folder / "s.sqlite"]
    common = [*files, "--no-guard", "-t", 1]

    def command(name, *arguments):
        return invoke(name, *common, *arguments)

    command.folder = folder
    return command


def test_rows_carry_the_feedback_and_are_the_same_bytes_from_the_store(run):
    done = run("score", "--reason", 6)
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 12 and all(isinstance(r["feedback"], str) and r["error"] is None for r in rows)
    assert any(r["feedback"] for r in rows)
    again = run("score", "--reason", 6)
    assert again.stdout == done.stdout and "12 from the store" in again.stderr
    votes = json.loads(run("score", "--reason", 6, "--votes", 2, "-n", 1).stdout)
    assert len(votes["feedback"]) == 2
    assert "feedback" not in json.loads(run("score", "-n", 1).stdout)


def test_eval_sets_direct_and_reasoning_side_by_side_with_their_cost(run):
    path = run.folder / "e.json"
    quick = ("--kind", "signed", "--cv", 3, "--splits", 1, "--store", run.folder / "own.sqlite")
    done = run("eval", "--reason", 7, *quick, f"--json={path}")
    assert done.exit_code == 0, done.output
    assert "\nDirect against reasoning (up to 7 tokens, greedy), 12 judgments in both, Spearman\n" in done.stdout
    head, _, *rows = done.stdout.partition("Spearman\n\nmethod   direct")[2].partition("\n\n")[0].splitlines()
    assert head.split() == ["reasoning", "difference", "95%", "interval"]
    assert {"direct", "e_score", "signed"} <= {r.split()[0] for r in rows}
    costs = {r.split()[0]: r.split()[1:] for r in done.stdout.partition("per judgment")[2].splitlines()[2:4]}
    seconds, generated, evaluated = map(float, costs["reasoning"])
    assert seconds > 0 and 1 <= generated <= 7 and evaluated > 0
    origin = load_run(path).origin
    assert origin.settings["feedback"] == "up to 7 tokens, greedy"
    assert origin.judgments["generated_tokens"] / 12 == pytest.approx(generated, abs=0.051)
    again = run("eval", "--reason", 7, *quick)
    assert "(- where judgments or feedback came from the store: give --no-store to measure)" in again.stdout
    assert again.stdout.partition("\nper judgment")[0] == done.stdout.partition("\nper judgment")[0]


def test_the_cost_is_of_what_was_judged_afresh():
    counts = {
        "done": 10,
        "stored": 0,
        "failed": 2,
        "evaluated_tokens": 160,
        "generated_tokens": 40,
        "stored_feedback": 0,
    }
    origin = SimpleNamespace(seconds={"reading": 4.0}, judgments=counts)
    assert cost(SimpleNamespace(origin=origin)) == Cost(0.5, 5.0, 20.0)
    for changed in ({"stored": 1}, {"stored_feedback": 1}, {"failed": 10}):
        origin = SimpleNamespace(seconds={"reading": 4.0}, judgments={**counts, **changed})
        assert cost(SimpleNamespace(origin=origin)).seconds is None


def test_weights_fitted_with_feedback_score_with_the_same_feedback_only(run):
    weights = run.folder / "w.json"
    fitted = run("fit", "--reason", 6, "--kind", "signed", "-o", weights)
    assert fitted.exit_code == 0, fitted.output
    assert run("score", "--reason", 6, "-w", weights).exit_code == 0
    for other in ((), ("--reason", 5)):
        done = run("score", "-w", weights, *other)
        assert done.exit_code == 1 and "feedback was up to 6 tokens, greedy, is" in done.stderr
    evaluated = run("eval", "--reason", 6, "-w", weights, "--include-seen")
    assert evaluated.exit_code == 0 and "\ntuned " in evaluated.stdout and "Direct against" not in evaluated.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--votes", 3), "--votes and --temperature are about feedback: give --reason N too"),
        (("--temperature", 0), "--votes and --temperature are about feedback: give --reason N too"),
        (("--reason", 5, "--votes", 3, "--temperature", 0), "at temperature 0 all 3 votes are the same"),
        (("--reason", 0), "0 is not in the range"),
    ],
)
@pytest.mark.parametrize("command", ["score", "eval"])
def test_wrong_usage_is_refused_before_the_model_is_opened(run, invoke, command, options, message):
    done = invoke(command, run.folder / "in.jsonl", "-m", "none.gguf", *options)
    assert done.exit_code == 2 and message in done.stderr
