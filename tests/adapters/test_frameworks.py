"""Each adapter inside the real package it is for; skipped where that is not installed."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lager_lite.errors import DataError, MisuseError
from lager_lite.judging import Judge, judgment_row
from tests.adapters.served import OPTIONS, RUBRIC

ROOT = Path(__file__).resolve().parents[2]
ROWS = [{"instruction": "Name a fruit.", "response": text} for text in ("Plum.", "No.", "A pear, or two.")]


@pytest.fixture(scope="module")
def judge(tiny_model):
    with Judge(tiny_model, rubric=RUBRIC, options=OPTIONS) as judge:
        yield judge


@pytest.fixture(scope="module")
def scores(judge):
    return [judgment.score for judgment in judge.score(ROWS)]


def without(package: str, module: str) -> subprocess.CompletedProcess[str]:
    """What importing an adapter says where its package is missing."""
    code = f"""
import sys
sys.modules[{package!r}] = None
from lager_lite.errors import LagerError
try:
    import lager_lite.adapters.{module}
except LagerError as error:
    print(error.message, "|", error.hint)
"""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(("package", "module"), [("deepeval", "deepeval"), ("inspect_ai", "inspect")])
def test_a_missing_package_is_said_in_one_line(package, module):
    done = without(package, module)
    assert (done.stdout, done.returncode) == (
        f"{package} is not installed here | pip install 'lager-lite[{module}]'\n",
        0,
    ), done.stderr


def test_tools_without_their_package_say_so_before_anything_else(invoke, monkeypatch, tiny_model):
    monkeypatch.setitem(sys.modules, "mcp", None)
    done = invoke("mcp", "-m", tiny_model)
    assert (done.exit_code, done.stderr) == (
        1,
        "Error: mcp is not installed here\nTry: pip install 'lager-lite[mcp]'\n",
    )


def deepeval(monkeypatch):
    monkeypatch.setenv("DEEPEVAL_TELEMETRY_OPT_OUT", "YES")
    monkeypatch.setenv("DEEPEVAL_DISABLE_DOTENV", "1")
    return pytest.importorskip("deepeval", reason="DeepEval is not installed (extra deepeval)")


def test_deepeval_measures_with_the_judge(judge, scores, monkeypatch, tmp_path):
    deepeval(monkeypatch)
    monkeypatch.chdir(tmp_path)
    from deepeval.test_case import LLMTestCase

    from lager_lite.adapters.deepeval import JudgeMetric

    metric = JudgeMetric(judge, threshold=0.5)
    cases = [LLMTestCase(input=row["instruction"], actual_output=row["response"]) for row in ROWS]
    shares = [(score - 1) / 4 for score in scores]
    for case, share in zip(cases, shares):
        assert metric.measure(case) == pytest.approx(share)
        assert metric.is_successful() == (share >= 0.5)
    assert metric.reason.startswith(f"good: {scores[-1]:.2f} on the scale 1-5")
    assert asyncio.run(metric.a_measure(cases[0])) == pytest.approx(shares[0])
    with pytest.raises(MisuseError, match="one score is wanted, and the judge has 2 rubrics"):
        JudgeMetric(twice(judge))


def twice(judge):
    class Two:
        rubrics = (*judge.rubrics, *judge.rubrics)

    return Two()


def test_deepeval_evaluates_many_cases_with_the_judge(judge, scores, monkeypatch, tmp_path):
    package = deepeval(monkeypatch)
    monkeypatch.chdir(tmp_path)
    from deepeval.evaluate import DisplayConfig
    from deepeval.test_case import LLMTestCase

    from lager_lite.adapters.deepeval import JudgeMetric

    cases = [LLMTestCase(input=row["instruction"], actual_output=row["response"]) for row in ROWS]
    display = DisplayConfig(show_indicator=False, print_results=False)
    found = package.evaluate(cases, [JudgeMetric(judge, threshold=0.0)], display_config=display)
    by_text = {one.actual_output: one.metrics_data[0] for one in found.test_results}
    assert [by_text[row["response"]].score for row in ROWS] == pytest.approx([(score - 1) / 4 for score in scores])
    assert all(one.success for one in by_text.values())
    assert {one.name for one in by_text.values()} == {"lager-lite good"}


def test_inspect_scores_with_the_judge(judge, scores, tmp_path):
    pytest.importorskip("inspect_ai", reason="Inspect is not installed (extra inspect)")
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput
    from inspect_ai.solver import solver

    from lager_lite.adapters.inspect import judge_scorer

    # Inspect's mock model would fetch a tokenizer to count its tokens.
    @solver
    def answers():
        async def solve(state, generate):
            state.output = ModelOutput.from_content("none/none", ROWS[state.sample_id - 1]["response"])
            return state

        return solve

    samples = [Sample(row["instruction"], id=n + 1) for n, row in enumerate(ROWS)]
    task = Task(dataset=samples, solver=answers(), scorer=judge_scorer(judge))
    (log,) = eval(task, model=None, display="none", log_dir=str(tmp_path), log_format="json")
    assert log.status == "success", log.error
    found = {sample.id: next(iter(sample.scores.values())) for sample in log.samples}
    assert [found[n + 1].value for n in range(3)] == pytest.approx(scores)
    assert found[1].metadata["probabilities"] == judgment_row(next(judge.score(ROWS[:1])))["probabilities"]
    (summary,) = log.results.scores
    assert summary.metrics["mean"].value == pytest.approx(sum(scores) / 3)


def test_a_data_set_gets_columns(tiny_model, scores, tmp_path):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed (extra datasets)")
    from lager_lite.adapters.datasets import JudgeColumns

    columns = JudgeColumns(tiny_model, rubric=RUBRIC, options=OPTIONS)
    data = datasets.Dataset.from_list(ROWS)
    scored = data.map(columns, batched=True)
    assert scored["judge_score"][:] == pytest.approx(scores)
    assert scored["judge_error"][:] == [None] * 3
    again = datasets.fingerprint.Hasher.hash(JudgeColumns(tiny_model, rubric=RUBRIC, options=OPTIONS))
    assert datasets.fingerprint.Hasher.hash(columns) == again, "an opened judge must not change what is cached"
    arrays = data.with_format("numpy").map(columns, batched=True, load_from_cache_file=False)
    assert arrays["judge_score"][:].tolist() == pytest.approx(scores)
    columns.close()
    spread = data.map(columns, batched=True, num_proc=2)
    assert spread["judge_score"][:] == pytest.approx(scores)


def test_columns_of_several_rubrics_and_rows_without_a_response(tiny_model, judge):
    from lager_lite.adapters.datasets import JudgeColumns
    from lager_lite.prompts import make_rubric

    other = make_rubric("kind", "Is it kind?", template="{sections} {criterion}")
    columns = pickle.loads(pickle.dumps(JudgeColumns(tiny_model, rubric=[RUBRIC, other], options=OPTIONS, prefix="")))
    found = columns({"instruction": ["A?", "B?"], "response": ["Plum.", None]})
    columns.close()
    assert list(found) == [
        f"{rubric}_{name}" for rubric in ("good", "kind") for name in ("score", "e_score", "mass", "error")
    ]
    assert found["good_score"][0] is not None and found["kind_score"][1] is None
    assert found["kind_error"][1].startswith("no response")
    with pytest.raises(DataError, match="a batch is a dict of columns, each a list"):
        columns({"instruction": "A?", "response": 5})


def context(**variables: object) -> str:
    return json.dumps({"vars": variables, "prompt": {"raw": "..."}})


def test_promptfoo_is_answered_with_a_verdict(run, tiny_model, scores):
    given = context(**{"question": "Name a fruit.", "output": "Plum.", "rubric": "good"})
    options = ["-m", tiny_model, "-r", "good.toml", "--exact", "-t", 1, "--threshold", 0.0]
    done = run("promptfoo", *options, "--", "-prompt", "{}", given)
    assert done.exit_code == 0, done.output
    verdict = json.loads(done.stdout)
    assert (verdict["pass"], verdict["score"]) == (True, pytest.approx((scores[0] - 1) / 4))
    criterion = context(output={"a": 1}, rubric="Does it say {name}?")
    assert set(json.loads(run("promptfoo", *options, "--", "p", "{}", criterion).stdout)) == {"pass", "score", "reason"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nothing", "the third argument is no JSON"),
        ("{}", "the context holds no output and rubric to grade"),
        (context(output="Plum."), "the context holds no output and rubric to grade"),
        (context(output="Plum.", rubric=" "), "the assertion has no rubric"),
        (context(output={}, rubric={}), None),
    ],
)
def test_what_promptfoo_cannot_have_graded_is_said(run, tiny_model, given, message):
    done = run("promptfoo", "-m", tiny_model, "-r", "good.toml", "-t", 1, "--", "p", "{}", given)
    assert done.exit_code == (0 if message is None else 1)
    assert message is None or (message in done.stderr and done.stdout == "")


def test_promptfoo_itself_grades_with_the_command(tiny_model, short_rubric, tmp_path, scores):
    promptfoo = os.environ.get("LAGER_LITE_PROMPTFOO") or shutil.which("promptfoo")
    if promptfoo is None:
        pytest.skip("promptfoo is not installed (an npm package; LAGER_LITE_PROMPTFOO may name its program)")
    program = f"{sys.executable} -m lager_lite promptfoo -m {tiny_model} -r good.toml --exact -t 1 --no-store --threshold 0 --"
    config = {
        "prompts": ["{{question}}"],
        "providers": ["echo"],
        "tests": [
            {
                "vars": {"question": "Plum."},
                "assert": [{"type": "llm-rubric", "value": "good", "provider": f"exec: {program}"}],
            }
        ],
    }
    (tmp_path / "promptfooconfig.json").write_text(json.dumps(config))
    environment = {
        **os.environ,
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "HOME": str(tmp_path),
    }
    environment.update(
        PROMPTFOO_CONFIG_DIR=str(tmp_path / "foo"), PROMPTFOO_DISABLE_REMOTE_GENERATION="1", PYTHONPATH=str(ROOT)
    )
    command = [
        *promptfoo.split(),
        "eval",
        "-c",
        "promptfooconfig.json",
        "-o",
        "out.json",
        "--no-cache",
        "--no-progress-bar",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert (tmp_path / "out.json").exists(), done.stdout + done.stderr
    (result,) = json.loads((tmp_path / "out.json").read_text())["results"]["results"]
    (graded,) = result["gradingResult"]["componentResults"]
    assert graded["pass"], graded
    assert graded["reason"].startswith("good: ") and 0 <= graded["score"] <= 1


def test_a_server_of_tools_answers_the_official_client(tiny_model, short_rubric, tmp_path, judge):
    pytest.importorskip("mcp", reason="the package mcp is not installed (extra mcp)")
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    command = [
        "-m",
        "lager_lite",
        "mcp",
        "-m",
        str(tiny_model),
        "-r",
        str(short_rubric),
        "--exact",
        "-t",
        "1",
        "--no-store",
    ]
    server = StdioServerParameters(command=sys.executable, args=command, env={**os.environ, "PYTHONPATH": str(ROOT)})

    async def use():
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()
            tools = await session.list_tools()
            good = await session.call_tool("score", {"items": ROWS})
            many = [await session.call_tool("score", {"item": ROWS[0], "rubric": name}) for name in ("good", "nice")]
            empty = await session.call_tool("score", {})
            none = await session.call_tool("rank", {})
            rubrics = await session.call_tool("rubrics", {})
            return tools, good, many, empty, none, rubrics

    tools, good, many, empty, none, rubrics = asyncio.run(use())
    assert [tool.name for tool in tools.tools] == ["score", "pairs", "rubrics"]
    wanted = json.loads(json.dumps([judgment_row(one) for one in judge.score(ROWS)]))
    assert json.loads(good.content[0].text)["rows"] == wanted
    assert json.loads(many[0].content[0].text)["rows"] == wanted[:1]
    assert "there is no rubric 'nice'" in many[1].content[0].text
    assert "give either 'item' or 'items'" in empty.content[0].text
    assert "there is no tool 'rank'" in none.content[0].text
    told = json.loads(rubrics.content[0].text)["rubrics"]
    assert told["good"]["default"] and "helpfulness" in told


def test_tools_without_the_package_say_so(run, tiny_model, monkeypatch):
    for name in ("mcp", "mcp.server"):
        monkeypatch.setitem(sys.modules, name, None)
    done = run("mcp", "-m", tiny_model, "-r", "good.toml", "-t", 1)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Error: mcp is not installed here\nTry: pip install 'lager-lite[mcp]'\n" in done.stderr
