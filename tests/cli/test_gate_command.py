from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from tests.tasks.test_gating import row


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two runs of 20 items under two rubrics, in a folder of their own; the newer one lies 0.3 lower."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    for name, fall in (("old", 0.0), ("new", 0.3)):
        rows = [
            row(n, 3.5 + n % 3 / 10 - fall, rubric, tokens=100 + n, system=f"a|b & <{n % 2}>")
            for n in range(20)
            for rubric in ("fluency", "relevance")
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return tmp_path


def test_the_exit_code_says_whether_the_bound_is_missed(invoke, files):
    codes = {bound: invoke("gate", "new.jsonl", "--fail-under", bound).exit_code for bound in (3, 3.3, 3.5)}
    strict = invoke("gate", "new.jsonl", "--fail-under", 3.3, "--strict")
    assert codes == {3: 0, 3.3: 0, 3.5: 3} and strict.exit_code == 3
    assert "failed: 1 check, 1 undecided" in strict.stdout
    assert "all (mean score) is undecided: it would take about" in strict.stdout


def test_a_fall_is_missed_and_the_same_run_is_met(invoke, files):
    fell = invoke("gate", "new.jsonl", "--compare", "old.jsonl", "--no-worse-than", 0.1)
    assert fell.exit_code == 3 and "[-0.300, -0.300]" in fell.stdout and "failed: 1 check, 1 missed" in fell.stdout
    assert invoke("gate", "old.jsonl", "--compare", "old.jsonl").exit_code == 0
    assert invoke("gate", "new.jsonl", "--compare", "old.jsonl", "--no-worse-than", 0.35).exit_code == 0


def test_names_are_escaped_in_junit_and_in_markdown(invoke, files, monkeypatch):
    (files / "summary.md").write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(files / "summary.md"))
    (files / "odd.jsonl").write_text(
        (files / "new.jsonl").read_text().replace("& <1>", "& <1> \\u0001"), encoding="utf-8"
    )
    done = invoke(
        "gate", "odd.jsonl", "--fail-under", 3.5, "--by", "system", "--junit", "out.xml", "--summary", "github"
    )
    assert done.exit_code == 3
    suite = ElementTree.fromstring((files / "out.xml").read_bytes()).find("testsuite")
    assert {k: suite.get(k) for k in ("tests", "failures", "errors")} == {"tests": "3", "failures": "2", "errors": "0"}
    cases = {case.get("name"): case.find("failure") is not None for case in suite.iter("testcase")}
    assert cases == {
        "a|b & <0>: mean score at least 3.5": True,
        "a|b & <1> \ufffd: mean score at least 3.5": True,
        "at most 0 rows without a score": False,
    }
    before, text = (files / "summary.md").read_text(encoding="utf-8").split("\n", 1)
    assert (
        before == "before"
        and r"| a\|b \& \<0\> | mean score | 20 | 10 | 3." in text
        and "**missed**" in text
        and "\x01" not in text
    )


def test_without_github_the_summary_is_a_warning_and_never_an_input(invoke, files, monkeypatch):
    done = invoke("gate", "new.jsonl", "--fail-under", 3, "--summary", "github")
    assert done.exit_code == 0 and "Warning: GITHUB_STEP_SUMMARY is not set" in done.stderr
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "new.jsonl")
    refused = invoke("gate", "new.jsonl", "--fail-under", 3, "--summary", "github")
    assert refused.exit_code == 1 and "would overwrite new.jsonl" in refused.stderr


def test_json_has_every_figure_and_a_table_is_read_like_lines(invoke, files):
    found = json.loads(invoke("gate", "new.jsonl", "--fail-under", "fluency=3.9", "--by", "criterion", "--json").stdout)
    assert found["passed"] is False and [c["verdict"] for c in found["checks"]] == ["missed"]
    head = "id,rubric,score,raw_score,probabilities,error\n"
    cells = "".join(f'{n},fluency,{"" if n == 3 else 4},4,"{{""1"": 0.5, ""5"": 0.5}}",\n' for n in range(4))
    (files / "t.csv").write_text(head + cells, encoding="utf-8")
    assert invoke("gate", "t.csv", "--fail-under", 4).exit_code == 1  # a row without a score
    assert invoke("gate", "t.csv", "--fail-under", 4, "--max-errors", "25%").exit_code == 0
    assert "outside the scale" in invoke("gate", "t.csv", "--fail-under", 6, "--max-errors", 1).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a bound with --fail-under"),
        (["--no-worse-than", "0.1", "--fail-under", "3"], "--no-worse-than needs the earlier run"),
        (["--fail-under", "fluency=3"], "a bound for 'fluency' needs --by"),
        (["--fail-under", "nan"], "'nan' is not a finite number"),
        (["--fail-under", "3", "--confidence", "0.95"], "expected a percentage from 50"),
        (["--fail-under", "3", "--max-errors", "1.5"], "expected a number of rows (3) or a share"),
        (["--compare", "old.jsonl", "--no-worse-than", "-1"], "expected points of the scale from 0"),
    ],
)
def test_wrong_usage_is_said_before_a_file_is_read(invoke, files, words, message):
    done = invoke("gate", "missing.jsonl", *words)
    assert done.exit_code == 2 and message in done.stderr
