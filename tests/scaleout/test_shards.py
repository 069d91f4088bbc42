"""Shards cover every item once, and merged they are what one run writes, byte for byte."""

from __future__ import annotations

import collections
import json

import pytest
from click.testing import CliRunner

from lager_lite.backbones.locate import locate_model
from lager_lite.cli import main
from lager_lite.errors import DataError, LagerError, OutputError
from lager_lite.records import Item
from lager_lite.scaleout.shards import Shard, merge_outputs, parse_shard, shard_of

TOML = 'scale = "1-5"\ncriterion = "{name}"\ntemplate = "{{sections}} {{criterion}}"\n'


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("good", "short"):
        (tmp_path / f"{name}.toml").write_text(TOML.format(name=f"Is it {name}?"))

    def invoke(*arguments):
        return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)

    return invoke


def items(n, group=None):
    return [Item(id=f"i{k}", fields={"response": "x"}, group=group and group(k)) for k in range(n)]


def write_items(path, n):
    """Items of n // 3 sources, mixed; two texts hold line ends and quotes."""
    rows = [
        {"id": f'a "{k}", é', "source": f"source {k % (n // 3)}", "response": f'line {k}\n"quoted"'} for k in range(n)
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def rows(*ids, rubric="good", **more):
    return "".join(json.dumps({"id": i, "rubric": rubric, "score": 1, **more}) + "\n" for i in ids)


def labels(*names):
    return dict.fromkeys(names, 0.5)


def test_a_group_has_the_same_shard_for_ever():
    """Shards are run on different machines, and years apart: these numbers must never change."""
    assert [shard_of(g, 4) for g in ("", "a", "b", "source 1", "\ud800")] == [1, 1, 1, 2, 3]


def test_every_item_is_in_one_shard_and_groups_stay_together():
    everything = items(3000, group=lambda k: f"g{k % 300}")
    owners = collections.defaultdict(set)
    for item in everything:
        (index,) = [i for i in range(1, 8) if Shard(i, 7).holds(item)]
        owners[item.group].add(index)
    assert all(len(found) == 1 for found in owners.values())
    counts = collections.Counter(next(iter(found)) for found in owners.values())
    assert set(counts) == set(range(1, 8)) and max(counts.values()) < 2 * min(counts.values())


def test_an_item_without_a_group_goes_by_its_id():
    alone, grouped = Item(id="x", fields={}), Item(id="other", fields={}, group="x")
    assert [Shard(i, 5).holds(alone) for i in range(1, 6)] == [Shard(i, 5).holds(grouped) for i in range(1, 6)]


@pytest.mark.parametrize("text", ["", "1", "1/", "/4", "0/4", "5/4", "-1/4", "1/4/2", "a/b", "1.5/4", "²/4"])
def test_what_is_no_shard_is_refused(run, text):
    with pytest.raises(ValueError, match="shard"):
        parse_shard(text)
    assert run("score", "in.jsonl", "--shard", text, "-m", "none.gguf").exit_code == 2


def test_a_shard_is_parsed():
    assert parse_shard("2/4") == Shard(2, 4) and str(Shard(2, 4)) == "2/4"


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv"])
def test_four_shards_merged_are_byte_for_byte_one_run(run, tiny_model, tmp_path, suffix):
    write_items(tmp_path / "in.jsonl", 21)
    common = ("score", "in.jsonl", "-m", tiny_model, "-r", "good.toml", "-r", "short.toml", "-n", 20)
    whole = run(*common, "--store", "whole.sqlite", "-o", f"whole.{suffix}")
    assert whole.exit_code == 0, whole.output
    parts = [f"part{i}.{suffix}" for i in range(1, 5)]
    for i, part in enumerate(parts, 1):
        done = run(*common, "--store", f"{i}.sqlite", "--shard", f"{i}/4", "-o", part)
        assert done.exit_code == 0, done.output
    merged = run("merge", "in.jsonl", *reversed(parts), "-n", 20, "-o", f"merged.{suffix}")
    assert merged.exit_code == 0, merged.output
    assert "40 rows (" in merged.stderr and f" of 20 items written to merged.{suffix}" in merged.stderr
    expected = (tmp_path / f"whole.{suffix}").read_bytes()
    assert (tmp_path / f"merged.{suffix}").read_bytes() == expected
    assert len({(tmp_path / p).read_bytes() for p in parts} - {expected}) > 1, "one shard had everything"


@pytest.mark.model
def test_four_shards_of_the_default_model_merged_are_byte_for_byte_one_run(run, tmp_path):
    """Other prompts share the batches of a shard; the scores are the same to the last digit written all the same."""
    try:
        locate_model(None)
    except LagerError as error:
        pytest.skip(f"the default model is not installed: {error.hint}")
    write_items(tmp_path / "in.jsonl", 24)
    common = ("score", "in.jsonl", "-r", "good.toml", "-t", 1)
    whole = run(*common, "--store", "whole.sqlite", "-o", "whole.jsonl")
    assert whole.exit_code == 0, whole.output
    for i in range(1, 5):
        done = run(*common, "--store", f"{i}.sqlite", "--shard", f"{i}/4", "-o", f"part{i}.jsonl")
        assert done.exit_code == 0 and " 0 from the store" in done.stderr, done.output
    merged = run("merge", common[1], *(f"part{i}.jsonl" for i in range(1, 5)), "-o", "merged.jsonl")
    assert merged.exit_code == 0, merged.output
    assert (tmp_path / "merged.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_shard_without_items_is_an_empty_output_that_merges(run, tiny_model, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"id": "only", "response": "one"}\n')
    common = ("score", "in.jsonl", "-m", tiny_model, "-r", "good.toml", "--no-store")
    for i in (1, 2):
        done = run(*common, "--shard", f"{i}/2", "-o", f"{i}.csv")
        assert done.exit_code == 0, done.output
    assert sorted((tmp_path / f"{i}.csv").stat().st_size > 0 for i in (1, 2)) == [False, True]
    assert run("merge", "in.jsonl", "1.csv", "2.csv", "-o", "merged.csv").exit_code == 0
    assert (tmp_path / "merged.csv").read_text().count("\n") == 2


def test_evaluations_read_shards_into_stores_that_merge_into_one(run, tiny_model, tmp_path):
    lines = [json.dumps({"id": str(n), "response": f"text {n}", "score": 1 + n % 5}) for n in range(30)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    fits = ("--kind", "signed", "--splits", 1)
    common = ("eval", "in.jsonl", "-m", tiny_model, "-r", "good.toml")
    whole = run(*common, *fits, "--store", "whole.sqlite", "--json=whole.json")
    assert whole.exit_code == 0, whole.output
    for i in (1, 2):
        done = run(*common, "--store", f"{i}.sqlite", "--shard", f"{i}/2")
        assert done.exit_code == 0 and done.stdout == "", done.output
    done = run("store", "merge", "1.sqlite", "2.sqlite", "--store", "both.sqlite")
    assert done.exit_code == 0, done.output
    assert sum(int(line.split()[0]) for line in done.stdout.splitlines()) == 30
    again = run(*common, *fits, "--store", "both.sqlite", "--json=both.json")
    assert "30 judgments, 30 from the store; 0 of" in again.stderr
    methods = [
        json.loads((tmp_path / f"{name}.json").read_text())["evaluation"]["methods"] for name in ("whole", "both")
    ]
    for one, other in zip(*methods, strict=True):
        # float32 matrices are multiplied in tiles whose last bits depend on the company; fits magnify that
        assert one["raw"] == pytest.approx(other["raw"], abs=1e-4), one["name"]


@pytest.mark.parametrize(
    "options", [["--json"], ["--no-store"], ["--cv", 3], ["--report", "r.html"], ["--kind", "full"]]
)
def test_an_evaluation_of_a_shard_refuses_what_is_about_figures(run, options):
    done = run("eval", "in.jsonl", "--shard", "1/2", *options, "-m", "none.gguf")
    assert done.exit_code == 2 and f"leave out {options[0]}" in done.output


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (rows("i0", "i1"), rows("i3"), "1 judgment is missing: i2 (good)"),
        (rows("i0", "i1", "i2"), rows("i2", "i3"), "1 judgment is there twice: i2 (good) in a.jsonl and b.jsonl"),
        (rows("i0", "i1"), rows("i2", "i3", "i4"), "1 judgment is of no item of the input: i4 (good) in b.jsonl"),
        ("", "", "the outputs hold no rows"),
        (rows("i0", "i1"), rows("i2", "i3", rubric="short"), "b.jsonl has the rubrics short, a.jsonl has good"),
        (rows("i0", "i1"), rows("i2", "i3")[:-1], "b.jsonl: ends in the middle of a row"),
        (rows("i0", "i1"), '{"id": "i2"}\n', "b.jsonl:1: not a row of `score`, since it has no id and rubric"),
        (rows("i0", "i1"), "\x00\n", "b.jsonl:1: not JSON: Expecting value at column 1"),
        (
            rows("i0", "i1", probabilities=labels("1", "2")),
            rows("i2", "i3", probabilities=labels("0", "1")),
            "b.jsonl:1: the rubric good has another scale than at a.jsonl:1: 0, 1 here, 1, 2 there",
        ),
        (
            rows("i0", "i1"),
            rows("i2", "i3", low=0, high=2),
            "two judges scored under the rubric good: b.jsonl:1 was scored with weights that give an interval (low and "
            "high), and a.jsonl:1 was not",
        ),
        (
            rows("i0", "i1", members=[1, 1]),
            rows("i2", "i3"),
            "a.jsonl:1 was scored by a panel of models, and b.jsonl:1",
        ),
    ],
    ids=[
        *("gap", "double", "foreign", "empty", "other rubric", "torn", "other rows", "no JSON"),
        *("other scale", "other weights", "no panel"),
    ],
)
def test_what_does_not_fit_together_is_refused_and_nothing_written(tmp_path, monkeypatch, first, second, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text(first)
    (tmp_path / "b.jsonl").write_text(second)
    (tmp_path / "out.jsonl").write_text("before")
    with pytest.raises(DataError) as caught:
        merge_outputs(items(4), ["a.jsonl", "b.jsonl"], "out.jsonl")
    assert message in caught.value.message and caught.value.hint
    assert (tmp_path / "out.jsonl").read_text() == "before"


def test_an_output_of_one_row_merges_under_any_suffix(tmp_path):
    """One JSON object alone in a file is a row of `score`, since that writes JSON Lines under other suffixes."""
    (tmp_path / "a.txt").write_text(rows("i0"))
    merged = merge_outputs(items(1), [tmp_path / "a.txt"], tmp_path / "out.txt")
    assert (merged.rows, (tmp_path / "out.txt").read_text()) == (1, rows("i0"))


def test_an_empty_id_in_a_table_merges(tmp_path):
    (tmp_path / "a.csv").write_text("id,rubric,score\n,good,2\n")
    assert merge_outputs([Item(id="", fields={})], [tmp_path / "a.csv"], tmp_path / "out.csv").rows == 1


def test_gaps_doubles_and_strangers_are_told_at_once_and_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text(rows("i0", "i0", "x"))
    with pytest.raises(DataError) as caught:
        merge_outputs(items(8), ["a.jsonl"], "out.jsonl")
    assert caught.value.message == (
        "7 judgments are missing: i1 (good), i2 (good), i3 (good), i4 (good), i5 (good) and 2 more; "
        "1 judgment is there twice: i0 (good) in a.jsonl and a.jsonl; 1 judgment is of no item of the input: x (good) in a.jsonl"
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('id,rubric,score\n"i0\nand more,good,1\n', "b.csv:3: not a table: unexpected end of data"),
        ("id,rubric,error\ni0,good,\n", "different columns"),
        ("id,score\ni0,1\n", "b.csv:2: not a row of `score`"),
        (b"\xff\n", "b.csv: not UTF-8 at byte 0 (0xff)"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, monkeypatch, table, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("id,rubric,score\ni1,good,2\n")
    (tmp_path / "b.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(DataError) as caught:
        merge_outputs(items(2), ["a.csv", "b.csv"], "out.csv")
    assert message in caught.value.message


def test_outputs_of_different_kinds_are_refused():
    with pytest.raises(DataError, match="cannot merge a.csv, b.jsonl, o.csv"):
        merge_outputs(items(1), ["a.csv", "b.jsonl"], "o.csv")


def test_an_output_that_cannot_be_read_or_written_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="none.jsonl: cannot read: No such file"):
        merge_outputs(items(1), ["none.jsonl"], "o.jsonl")
    (tmp_path / "a.jsonl").write_text(rows("i0"))
    with pytest.raises(OutputError, match="nowhere/o.jsonl: cannot write: No such file"):
        merge_outputs(items(1), ["a.jsonl"], "nowhere/o.jsonl")
