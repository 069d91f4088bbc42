"""The command `select`: the same layout out, shards, and wrong rows."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from tests.tasks.training_sets import ALPACA, LAYOUTS, write

NAN = float("nan")
MERGE = ["store", "merge", "1.sqlite", "2.sqlite", "3.sqlite", "--store", "all.sqlite"]


@pytest.fixture
def run(tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "store.sqlite"))
    for name, about in (("good", "Is it good?"), ("short", "Is it short?")):
        (tmp_path / f"{name}.toml").write_text(f'criterion = "{about}"\ntemplate = "{{sections}} {{criterion}}"\n')

    def invoke(*more, rubrics=("good.toml",), model=tiny_model):
        arguments = ["select", *map(str, more), "-m", str(model), *(a for r in rubrics for a in ("-r", r))]
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    return invoke


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_kept_rows_come_out_as_they_stood(run, tmp_path, layout, suffix):
    path = write(tmp_path / f"in{suffix}", LAYOUTS[layout], **({"indent": 2} if suffix == ".json" else {}))
    done = run(path.name, "--top", 2, "-o", f"out{suffix}")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("2 of 6 rows kept; 4 below the cut, 0 duplicates, 0 not judged; scores from ")
    side = [json.loads(line) for line in (tmp_path / f"out{suffix}.scores.jsonl").read_text().splitlines()]
    best = sorted(sorted(range(6), key=lambda n: -side[n]["score"])[:2])
    assert [n for n in range(6) if side[n]["kept"]] == best and side[0]["score"] == side[0]["good"]
    text = (tmp_path / f"out{suffix}").read_text()
    kept = [LAYOUTS[layout][n] for n in best]
    assert text == (json.dumps(kept, indent=2) if suffix == ".json" else "".join(json.dumps(r) + "\n" for r in kept))


def test_rows_that_cannot_be_judged_are_left_out_and_told(run, tmp_path):
    rows = [dict(r) for r in ALPACA]
    rows[2]["output"] = "long " * 400
    write(tmp_path / "in.json", rows)
    done = run("in.json", "--top", 1.0, "-o", "out.json", "-c", 300, "--json=f.json")
    assert done.exit_code == 1
    assert "5 of 6 rows kept; 0 below the cut, 0 duplicates, 1 not judged" in done.stdout
    assert "left out: 1 row that could not be judged" in done.stderr
    assert json.loads((tmp_path / "out.json").read_text()) == rows[:2] + rows[3:]
    side = [json.loads(line) for line in (tmp_path / "out.json.scores.jsonl").read_text().splitlines()]
    assert side[2]["why"].startswith("good: the prompt has ")
    assert json.loads((tmp_path / "f.json").read_text())["failed"] == 1


def test_combine_and_shares_reach_the_score(run, tmp_path):
    write(tmp_path / "in.jsonl", ALPACA)
    sides = {}
    for how in (["mean"], ["min"], ["weights", "--share", "short=2"]):
        done = run(
            "in.jsonl",
            "--top",
            3,
            "-o",
            "o.jsonl",
            "--scores",
            "s.jsonl",
            "--combine",
            *how,
            rubrics=("good.toml", "short.toml"),
        )
        assert done.exit_code == 0, done.output
        sides[how[0]] = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    for mean, low, weighted in zip(*sides.values()):
        assert mean["score"] == pytest.approx((mean["good"] + mean["short"]) / 2, abs=2e-6)
        assert low["score"] == min(mean["good"], mean["short"])
        assert weighted["score"] == mean["short"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --top or --min-score"),
        (["--top", 1, "--min-score", 2], "give either --top or --min-score"),
        (["--top", "0"], "a number of rows from 1"),
        (["--top", "1.5"], "a share above 0.0 and up to 1.0"),
        (["--top", "some"], "neither a number of rows (1000) nor a share (0.1 or 10%)"),
        (["--top", "120%"], "a share above 0.0 and up to 1.0"),
        (["--top", "nan%"], "a share above 0.0 and up to 1.0"),
        (["--top", 1, "--combine", "weights"], "belong together"),
        (["--top", 1, "--share", "good=1"], "belong together"),
        (["--top", 1, "--combine", "weights", "--share", "bad=1"], "name rubrics of this run (good)"),
        (["--top", 1, "--combine", "weights", "--share", "good=0"], "not all 0"),
        (["--top", 1, "--combine", "weights", "--share", "good=x"], "expected RUBRIC=NUMBER"),
    ],
)
def test_wrong_usage_is_told_before_a_model_loads(run, tmp_path, arguments, message):
    write(tmp_path / "in.json", ALPACA)
    done = run("in.json", "-o", "out.json", *arguments, model="none.gguf")
    assert done.exit_code == 2 and message in " ".join(done.stderr.split())
    assert not (tmp_path / "out.json").exists()


def test_shards_fill_stores_that_one_selection_reads(run, tmp_path):
    write(tmp_path / "in.jsonl", [{"instruction": f"Do {n}.", "output": f"done {n % 17}"} for n in range(20)])
    common = ("in.jsonl", "-r", "short.toml")
    whole = run(*common, "--store", "whole.sqlite", "--top", 5, "-o", "whole.jsonl")
    assert whole.exit_code == 0, whole.output
    counts = []
    for i in (1, 2, 3):
        done = run(*common, "--store", f"{i}.sqlite", "--shard", f"{i}/3")
        assert done.exit_code == 0 and done.stdout == "", done.output
        counts.append(int(done.stderr.split(f"shard {i}/3: ")[1].split()[0]))
    assert sum(counts) == 20 and max(counts) < 20
    assert [p.name for p in tmp_path.glob("*.scores.jsonl")] == ["whole.jsonl.scores.jsonl"]
    assert not CliRunner().invoke(main, MERGE).exit_code
    again = run(*common, "--store", "all.sqlite", "--top", 5, "-o", "again.jsonl")
    assert "40 from the store, 0 failed; 0 of" in again.stderr
    for suffix in ("jsonl", "jsonl.scores.jsonl"):
        assert (tmp_path / f"again.{suffix}").read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()


@pytest.mark.parametrize("options", [["--top", 2], ["-o", "o"], ["--scores", "s"], ["--json=j"], ["--no-store"]])
def test_a_shard_of_a_selection_keeps_nothing(run, tmp_path, options):
    write(tmp_path / "in.json", ALPACA)
    done = run("in.json", "--shard", "1/2", *options, model="none.gguf")
    assert done.exit_code == 2 and f"leave out {options[0].partition('=')[0].replace('-o', '--output')}" in done.stderr


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"instruction": "A", "output": "a"}, {"instruction": "B", "output": {"b": 1}}],
            "in.json[1]: key 'output' holds an object",
        ),
        ([{"messages": [{"role": "user", "content": "A"}]}], "in.json: no row has a response"),
        (
            [{"messages": [{"role": "user", "content": "A"}, "x"]}],
            "in.json[0]: looks like messages (ShareGPT, chat), but breaks its layout",
        ),
        ([{"prompt": "A", "chosen": "a", "rejected": "b"}], "looks like pairs of a chosen and a rejected response"),
        ([{"prompt": "A"}], "in.json: no row has a response"),
    ],
)
def test_rows_that_cannot_be_used_are_told_with_their_place_and_nothing_is_written(run, tmp_path, rows, message):
    write(tmp_path / "in.json", rows)
    done = run("in.json", "--top", 1, "-o", "out.json")
    assert done.exit_code == 1 and done.stderr.startswith("Error: ") and message in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["good.toml", "in.json", "short.toml"]


def test_rows_without_response_are_counted_and_the_others_chosen(run, tmp_path):
    rows = [{"instruction": "A", "output": o} for o in ("a", None, NAN, "b", None)]
    write(tmp_path / "in.json", rows)
    done = run("in.json", "--top", 5, "--dedupe", "-o", "out.json")
    assert done.exit_code == 1, done.output
    assert [r["output"] for r in json.loads((tmp_path / "out.json").read_text())] == ["a", "b"]
    side = [json.loads(line) for line in (tmp_path / "out.json.scores.jsonl").read_text().splitlines()]
    assert [r["kept"] for r in side] == [True, False, False, True, False]
    assert all(side[n]["why"].startswith("good: no response; ") for n in (1, 2, 4))


def test_a_row_that_fails_under_all_rubrics_is_named_once(run, tmp_path):
    write(tmp_path / "in.json", [{"instruction": "A", "output": o} for o in ("a", None)])
    done = run("in.json", "--top", 1, "-r", "short.toml", "-o", "out.json")
    assert [line for line in done.stderr.splitlines() if line.startswith("Error: ")] == [
        "Error: in.json[1]: item 1 (2 rubrics): no response; the item has only instruction (name the keys with --map "
        "field=key, or choose another rubric)"
    ]


def test_the_report_shows_the_cut_and_the_examples(run, tmp_path):
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    rows = [{**r, "output": f"<b>{r['output']}</b>"} for r in ALPACA]
    write(tmp_path / "in.json", rows)
    done = run("in.json", "--top", 0.5, "-o", "out.json", "--report", "r.html", "--dedupe")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "r.html").read_text()
    assert "3 of 6 rows kept" in text and "the top 0.5; mean of the rubrics; duplicates left out" in text
    assert "&lt;b&gt;done" in text and "<b>done" not in text and text.count("<svg") == 1
