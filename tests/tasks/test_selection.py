"""Selection: the choice by hand, the same layout out, duplicates, ties, resuming, memory, and wrong rows."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.errors import DataError
from lager_lite.judging.judge import Judge
from lager_lite.judging.score_file import Tally
from lager_lite.judging.store import Store
from lager_lite.llama.options import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.records import Counts
from lager_lite.tasks.pool import Scores, open_pool, score_pool
from lager_lite.tasks.selection import chosen_rows, combined, select, write_selection

NAN = float("nan")
MERGE = ["store", "merge", "1.sqlite", "2.sqlite", "3.sqlite", "--store", "all.sqlite"]
ALPACA = [{"instruction": f"Do {n}.", "input": "" if n % 2 else f"with {n}", "output": f"done {n}"} for n in range(6)]
LAYOUTS = {
    "alpaca": ALPACA,
    "messages": [
        {"messages": [{"role": "user", "content": f"Do {n}."}, {"role": "assistant", "content": f"done {n}"}]}
        for n in range(6)
    ],
    "sharegpt": [
        {
            "id": f"s{n}",
            "conversations": [{"from": "human", "value": f"Do {n}."}, {"from": "gpt", "value": f"done {n}"}],
        }
        for n in range(6)
    ],
    "pairs of texts": [{"prompt": f"Do {n}.", "response": f"done {n}", "extra": [n]} for n in range(6)],
}


def write(path, rows, **style):
    text = json.dumps(rows, **style) if path.suffix == ".json" else "".join(json.dumps(r) + "\n" for r in rows)
    path.write_text(text, encoding="utf-8")
    return path


def scored(*columns, raw=None, errors=None):
    values = np.array(columns, dtype=float).T
    return Scores(
        rubrics=tuple("abc"[: values.shape[1]]),
        scores=values,
        raw=values if raw is None else np.array([raw], dtype=float).T,
        length=np.arange(len(values)) * 10,
        errors=errors or {},
        summary=Tally().summary(Counts()),
    )


def test_scores_of_several_rubrics_become_one():
    scores = np.array([[1.0, 3.0], [2.0, 2.5], [NAN, 4.0]])
    assert combined(scores)[:2].tolist() == [2.0, 2.25]
    assert combined(scores, "min")[:2].tolist() == [1.0, 2.0]
    assert combined(scores, "weights", [3, 1])[:2].tolist() == [1.5, 2.125]
    assert all(np.isnan(combined(scores, how, [3, 1])[2]) for how in ("mean", "min", "weights"))


def test_equal_scores_go_by_the_raw_score_and_then_the_earlier_row_wins():
    score, raw = np.array([2.0, 3.0, 3.0, NAN, 3.0, 1.0]), np.array([9.0, 1.0, 1.0, NAN, 2.0, 9.0])
    assert np.flatnonzero(chosen_rows(score, raw, top=1)).tolist() == [4]
    assert np.flatnonzero(chosen_rows(score, raw, top=2)).tolist() == [1, 4]
    assert np.flatnonzero(chosen_rows(score, raw, top=99)).tolist() == [0, 1, 2, 4, 5]
    assert np.flatnonzero(chosen_rows(score, raw, min_score=2.0)).tolist() == [0, 1, 2, 4]


@pytest.fixture
def pool(tmp_path):
    rows = [{"id": f"i{n}", "instruction": "Q", "output": "dup" if n in (1, 4) else f"out {n}"} for n in range(6)]
    rows[4]["output"] = " DUP\n"
    return open_pool(write(tmp_path / "in.json", rows), dedupe=True)


def test_the_counts_add_up_and_the_examples_stand_at_the_cut(pool, tmp_path):
    assert pool.original.tolist() == [0, 1, 2, 3, 1, 5] and [i.id for i in pool.items] == ["0", "1", "2", "3", "5"]
    scores = scored([5, 3, NAN, 4, NAN, 3], errors={2: "a: too long"})
    found = select(pool, scores, top=3)
    assert (found.rows, found.chosen, found.below, found.duplicates, found.failed) == (6, 3, 1, 1, 1)
    assert found.kept.tolist() == [True, True, False, True, False, False]
    assert (found.cut, found.low, found.high, found.tied) == (3.0, 3.0, 5.0, 1)
    assert [(e.row, e.id, e.score, e.response) for e in found.worst_kept] == [
        (2, "i1", 3.0, "dup"),
        (4, "i3", 4.0, "out 3"),
        (1, "i0", 5.0, "out 0"),
    ]
    assert [e.row for e in found.best_dropped] == [6]
    assert found.means == {"a": (3.75, 4.0)} and found.lengths == (22.5, pytest.approx(40 / 3))
    assert write_selection(pool, scores, found, tmp_path / "out.json", tmp_path / "s.jsonl") == 3
    side = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [(r["row"], r["id"], r["score"], r["kept"], r["why"], r["a"]) for r in side] == [
        (1, "i0", 5.0, True, None, 5.0),
        (2, "i1", 3.0, True, None, 3.0),
        (3, "i2", None, False, "a: too long", None),
        (4, "i3", 4.0, True, None, 4.0),
        (5, "i4", None, False, "duplicate of row 2", None),
        (6, "i5", 3.0, False, "below", 3.0),
    ]
    with pytest.raises(DataError, match="named for the rows and for their scores"):
        write_selection(pool, scores, found, tmp_path / "o", tmp_path / "o")


def test_a_share_is_of_all_rows_and_at_least_one(pool):
    scores = scored([5, 3, 2, 4, NAN, 1])
    assert [select(pool, scores, top=t).chosen for t in (0.5, 0.01, 1.0, 1)] == [3, 1, 5, 1]
    nothing = select(pool, scores, min_score=6)
    assert (nothing.chosen, nothing.cut, nothing.means, nothing.worst_kept) == (0, None, {"a": (3.0, None)}, ())


@pytest.fixture
def run(tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "store.sqlite"))
    for name, about in (("good", "Is it good?"), ("short", "Is it short?")):
        (tmp_path / f"{name}.toml").write_text(f'criterion = "{about}"\ntemplate = "{{sections}} {{criterion}}"\n')

    def invoke(*more, rubrics=("good.toml",)):
        arguments = ["select", *map(str, more), "-m", str(tiny_model), *(a for r in rubrics for a in ("-r", r))]
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


def test_the_input_of_an_alpaca_row_is_judged_wherever_the_first_one_stands(tmp_path):
    """The first row has no `input`; that of a later one must not be lost."""
    path = write(
        tmp_path / "in.json",
        [{"instruction": "A", "output": "a"}, {"instruction": "B", "input": "more", "output": "b"}],
    )
    pool = open_pool(path)
    assert pool.layout == "alpaca"
    assert [i.fields["instruction"] for i in pool.items] == ["A", "B\n\nmore"]


def test_scores_are_those_of_the_judge_and_a_second_run_evaluates_nothing(tmp_path, tiny_model):
    rubrics = [
        make_rubric(n, q, template="{sections}\n{criterion}")
        for n, q in (("good", "Is it good?"), ("short", "Is it short?"))
    ]
    pool = open_pool(write(tmp_path / "in.json", ALPACA))
    runs = []
    for _ in range(2):
        with Store(tmp_path / "s.sqlite") as store, Judge(tiny_model, rubric=rubrics, store=store) as judge:
            runs.append((score_pool(judge, pool), judge.counts))
            single = [j.score for j in judge.score([pool.item(3)])]
    (first, counts), (second, again) = runs
    np.testing.assert_array_equal(first.scores, second.scores)
    assert first.scores[3].tolist() == single and first.rubrics == ("good", "short")
    assert first.length.tolist() == [6] * 6
    assert (counts.stored, again.stored, again.evaluated_tokens) == (0, 12, 0)


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path, tiny_model):
    """Stopped after a third of the rows, in small batches; the second run ends with the scores of an undisturbed one."""
    rubric = make_rubric("good", "Is it good?", template="{sections}\n{criterion}")
    small = BackendOptions(batch_size=128, ubatch_size=128, threads=1)
    pool = open_pool(
        write(tmp_path / "in.json", [{"instruction": f"Do {n}.", "output": f"{n} done"} for n in range(30)])
    )

    def stop(counts):
        if counts.done >= 10:
            raise KeyboardInterrupt

    def judged(name, progress=None):
        with Store(tmp_path / name) as store, Judge(tiny_model, rubric=rubric, store=store, options=small) as judge:
            return score_pool(judge, pool, progress), judge.counts

    with pytest.raises(KeyboardInterrupt):
        judged("a.sqlite", stop)
    (again, counts), (whole, all_counts) = judged("a.sqlite"), judged("b.sqlite")
    assert 10 <= counts.stored < 30 and 0 < counts.evaluated_tokens < all_counts.evaluated_tokens
    np.testing.assert_allclose(again.scores, whole.scores, rtol=1e-4)  # other batches, flash attention


def test_rows_that_cannot_be_judged_are_left_out_and_told(run, tmp_path):
    rows = [dict(r) for r in ALPACA]
    rows[2]["output"] = "long " * 400
    write(tmp_path / "in.json", rows)
    done = run("in.json", "--top", 1.0, "-o", "out.json", "-c", 300, "--json=f.json")
    assert done.exit_code == 1
    assert "5 of 6 rows kept; 0 below the cut, 0 duplicates, 1 not judged" in done.stdout
    assert "1 rows could not be judged and are left out" in done.stderr
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
    done = run("in.json", "-o", "out.json", "-m", "none.gguf", *arguments)
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
    done = run("in.json", "--shard", "1/2", "-m", "none.gguf", *options)
    assert done.exit_code == 2 and f"leave out {options[0].partition('=')[0].replace('-o', '--output')}" in done.stderr


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"instruction": "A", "output": "a"}, {"instruction": "B", "output": ["b"]}],
            "in.json[1]: key 'output' holds a list",
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


def test_52000_rows_are_not_held_in_memory(tmp_path):
    """38 MB of rows; a third of that would already be more than places, digests and one piece of the file."""
    path = tmp_path / "in.json"
    with open(path, "w") as file:
        file.write("[\n")
        for n in range(52000):
            row = {"instruction": f"Instruction {n}", "input": "", "output": f"{n} " * 100}
            file.write(json.dumps(row) + (",\n" if n < 51999 else "\n]\n"))
    tracemalloc.start()
    try:
        pool = open_pool(path, dedupe=True)
        count = sum(1 for _ in pool.items)
        pool.file.copy(tmp_path / "out.json", range(0, 52000, 2))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 52000 and len(json.loads((tmp_path / "out.json").read_text())) == 26000
    assert peak < 16e6 < path.stat().st_size / 2
