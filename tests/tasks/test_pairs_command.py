"""What `lager-lite pairs` writes and says, from one file and from two."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def pairs_file(tmp_path):
    def write(rows, name="p.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return name

    return write


def test_the_command_writes_rows_tables_and_json(run, tiny_model, pairs_file):
    rows = [
        {
            "prompt": f"q{n}",
            "response_a": f"a{n}",
            "response_b": f"ü{n}",
            "model_a": "s",
            "model_b": "t",
            "winner": "ab"[n % 2],
        }
        for n in range(6)
    ]
    call = ("pairs", "-r", "good.toml", "-m", tiny_model, "-t", 1)
    name = pairs_file([*rows, {"prompt": "q", "response_a": "only one"}])
    done = run(*call, name)
    assert done.exit_code == 1  # one pair has one response
    out = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(out) == 7 and out[6]["error"].startswith("there is no response B: nothing") and out[0]["system_b"] == "t"
    assert (
        "preferences from winner (3 for A, 3 for B)" in done.stderr
        and "p.jsonl:7: pair 7: there is no response B" in done.stderr
    )
    assert "length" in done.stderr and "win rate" in done.stderr
    again = run(
        *call,
        "-",
        "--json",
        "-o",
        "v.csv",
        "--cv",
        2,
        "--fit",
        "w.json",
        stdin="".join(json.dumps(r) + "\n" for r in rows),
    )
    document = json.loads(again.stdout)
    assert "weights written to w.json\n" in again.stderr
    assert again.exit_code == 0 and document["pairs"] == 6 and document["systems"]["standings"][0]["pairs"] == 6
    assert {m["accuracy"]["method"] for m in document["methods"]} >= {"surface", "signed", "full", "simplex", "length"}
    used = run(*call, name, "-w", "w.json", "-o", "v.jsonl")
    assert "leave out 6 pairs that the weights were fitted on" in used.stderr


def test_the_command_joins_two_files(run, tiny_model, pairs_file):
    first = pairs_file([{"id": n, "prompt": f"q{n}", "response": f"a{n}"} for n in range(3)], "base.jsonl")
    second = pairs_file([{"id": n, "prompt": f"q{n}", "response": f"b{n}"} for n in range(1, 4)], "new.jsonl")
    done = run("pairs", first, second, "-r", "good.toml", "-m", tiny_model, "-t", 1)
    out = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1 and [row["id"] for row in out] == [0, 1, 2, 3]
    assert [row["error"] for row in out] == ["only base has this id", None, None, "only new has this id"]
    assert (out[1]["system_a"], out[1]["system_b"]) == ("base", "new")


def test_weights_that_learn_nothing_are_said_when_they_are_fitted(run, tiny_model, pairs_file):
    # Every pair is there twice, with opposite preferences, so no weights are better than a coin.
    pairs = [{"prompt": f"q{n}", "response_a": f"x{n}", "response_b": f"y{n}"} for n in range(6)]
    name = pairs_file([{**pair, "preference": side} for pair in pairs for side in "ab"])
    done = run("pairs", name, "-r", "good.toml", "-m", tiny_model, "-t", 1, "--fit", "w.json")
    assert done.exit_code == 0, done.output
    said = "Warning: these weights learned nothing: with them the probability of every pair here is 0.5, which is a tie"
    assert f"{said}; fit them to the preferences of more pairs\nweights written to w.json\n" in done.stderr
    assert {json.loads(line)["verdict"] for line in done.stdout.splitlines()} <= {"A", "B"}  # by the last layer
    used = run("pairs", name, "-r", "good.toml", "-m", tiny_model, "-t", 1, "-w", "w.json")
    rows = [json.loads(line) for line in used.stdout.splitlines()]
    given = pairs_file([{"id": "a", "response": "x"}], "one.jsonl")
    wrong = run("score", given, "-r", "good.toml", "-m", tiny_model, "-t", 1, "-w", "w.json")
    assert "fitted to compare two responses for the labels B, A; this rubric has 1, 2, 3, 4, 5\n" in wrong.stderr
    assert all(row["verdict"] == "tie" and "undecided" in row["flags"] for row in rows) and len(rows) == 12
