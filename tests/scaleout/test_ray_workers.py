"""Workers give what one process gives, whatever becomes of them."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import types
import uuid
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.errors import BackendError, DataError, ModelFileError, error_from_json, error_to_json
from lager_lite.judging.judge import Judge
from lager_lite.judging.store import Store
from lager_lite.llama.options import BackendOptions
from lager_lite.llama.schedule import cut_sorted, sort_prompts
from lager_lite.prompts import make_rubric
from lager_lite.records import Item
from lager_lite.scaleout import ray_workers as scaleout
from lager_lite.scaleout.ray_workers import Cluster, ReadBatch, spread
from lager_lite.scaleout.score_batch import SCORE_COLUMNS, ScoreBatch
from tests.measure.ray_times import MARK, workers

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["river", "stone", "lamp", "green", "seven", "walks", "under", "music", "paper", "bright"]
OPTIONS = BackendOptions(threads=1, batch_size=128, ubatch_size=128)
RUBRIC = make_rubric(name="good", scale="1-5", criterion="Is it good?", template="{sections} {criterion}")


def needs(module):
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed")


needs_ray, needs_arrow = needs("ray"), needs("pyarrow")


@pytest.fixture(autouse=True)
def quick_workers(monkeypatch):
    """Ray gives its workers a low priority, and gives up on those that take a minute to start: too little on a busy machine."""
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_worker_register_timeout_seconds", "600")


def items(n, groups=8):
    """Texts of groups, mixed, a few hundred tokens each with a vocabulary of bytes."""
    sources = [" ".join(np.random.default_rng(g).choice(WORDS, 30)) for g in range(groups)]
    rng = np.random.default_rng(99)
    return [
        Item(id=f"i{k}", fields={"source": sources[k % groups], "response": f"{k} " + " ".join(rng.choice(WORDS, 12))})
        for k in range(n)
    ]


def judged(model, texts, **more):
    with Judge(model, rubric=RUBRIC, options=OPTIONS, **more) as judge:
        return list(judge.score(texts)), judge.counts


def test_batches_are_cut_between_groups():
    """Ten groups of eight prompts: 500 tokens that a group shares, 100 of each prompt's own, 20 that all share."""
    rng = np.random.default_rng(0)
    head = rng.integers(0, 100, 20)
    prompts = []
    for _ in range(10):
        source = np.concatenate([head, rng.integers(100, 200, 500)])
        prompts += [np.concatenate([source, rng.integers(200, 300, 100)]).astype(np.int32) for _ in range(8)]
    order, shared = sort_prompts(prompts)
    found = cut_sorted(np.array([len(prompts[i]) for i in order]), shared, workers=2)
    assert found[0][0] == 0 and found[-1][1] == 80 and all(a[1] == b[0] for a, b in zip(found, found[1:]))
    assert 4 <= len(found) <= 10
    assert all(shared[first] < 25 for first, _ in found), "a group was cut"


def test_few_prompts_are_one_batch_per_worker_and_one_prompt_is_one_batch():
    ones = np.full(6, 50)
    assert cut_sorted(ones, np.array([0, 10, 10, 10, 10, 10]), workers=2) == [(0, 3), (3, 6)]
    assert cut_sorted(np.array([50]), np.array([0]), workers=4) == [(0, 1)]
    assert cut_sorted(np.array([50, 50]), np.array([0, 50]), workers=4) == [(0, 1), (1, 2)]


def test_where_all_share_a_long_prefix_batches_stay_few():
    """Every cut evaluates 2,000 tokens again: more than one per worker would cost over 5% of 64,000."""
    lengths, shared = np.full(600, 2100), np.array([0, *[2000] * 599])
    assert len(cut_sorted(lengths, shared, workers=2)) == 2
    assert len(cut_sorted(lengths, np.array([0, *[100] * 599]), workers=2)) == 16


def test_worker_and_driver_name_readings_alike_whoever_has_a_gpu():
    options = BackendOptions()
    for cluster, kind in ((Cluster(2), "bf16"), (Cluster(2, gpus=0.5, threads=3), "f16")):
        here, there = cluster.here(options), cluster.there(options)
        assert here.gpu_layers == 0 and there.gpu_layers == "auto"
        assert here.cache_type_v == there.cache_type_v == kind
        assert there.threads == cluster.threads
    assert Cluster(1, gpus=1).there(BackendOptions(gpu_layers=0)).cache_type_v == "bf16"
    assert Cluster(1, gpus=1).there(BackendOptions(cache_type_v="f32")).cache_type_v == "f32"
    asked = BackendOptions(gpu_layers="all", split_mode="row", main_gpu=1)
    here, there = Cluster(1, gpus=2).here(asked), Cluster(1, gpus=2).there(asked)
    assert (here.split_mode, here.main_gpu) == ("layer", 0)  # a driver without a GPU would refuse the number
    assert (there.split_mode, there.main_gpu) == ("row", 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "2"], "--workers belongs to --ray"),
        (["--gpus-per-worker", "1"], "--gpus-per-worker belongs to --ray"),
        (["--ray", "auto"], "--ray needs --workers N"),
        (["--ray", "in.jsonl", "--workers", "2"], "'in.jsonl' is not an address"),
        (["--ray", "auto", "--workers", "2"], "give --online too"),
        (["--ray", "auto", "--workers", "2", "-t", "2"], "-t and --ray exclude each other: give --threads-per-worker"),
        (["--ray", "auto", "--workers", "2", "--reason", "9"], "--reason and --ray exclude each other"),
    ],
)
def test_wrong_combinations_are_usage_errors_before_anything_is_read(options, message):
    done = CliRunner().invoke(main, ["score", "none.jsonl", "-m", "none.gguf", *options])
    assert done.exit_code == 2 and message in " ".join(done.output.split())


def test_without_ray_the_error_says_what_to_install(tiny_model, monkeypatch):
    monkeypatch.setattr(scaleout, "find_spec", lambda name: None)
    with Judge(tiny_model, rubric=RUBRIC, options=OPTIONS) as judge:
        with pytest.raises(BackendError) as caught, spread(judge, Cluster(1), OPTIONS):
            pass
    assert caught.value.message == "Ray is not installed" and "lager-lite[ray]" in caught.value.hint


def test_a_batch_of_columns_gives_a_row_for_every_item_and_rubric(tiny_model):
    texts = items(3)
    other = make_rubric(name="other", scale="1-5", criterion="Is it short?", template="{sections} {criterion}")
    scorer = ScoreBatch(str(tiny_model), rubric=[RUBRIC, other], options=OPTIONS)
    batch = {
        "id": np.array([i.id for i in texts], object),
        "source": np.array([i.fields["source"] for i in texts], object),
        "response": np.array([i.fields["response"] for i in texts], object),
        "reference": np.array([None, float("nan"), None], object),
    }
    got = scorer(batch)
    scorer.judge.close()
    assert list(got) == list(SCORE_COLUMNS)
    assert (
        got["id"].tolist() == ["i0", "i0", "i1", "i1", "i2", "i2"] and got["rubric"].tolist() == ["good", "other"] * 3
    )
    expected, _ = judged(tiny_model, texts)
    assert got["score"][::2] == pytest.approx([j.score for j in expected], abs=1e-4)
    assert list(json.loads(got["probabilities"][0])) == ["1", "2", "3", "4", "5"]
    assert got["error"].tolist() == [None] * 6


def test_a_row_of_a_batch_without_response_has_an_error_and_the_others_a_score(tiny_model):
    scorer = ScoreBatch(str(tiny_model), rubric=RUBRIC, options=OPTIONS)
    got = scorer({"id": ["a", "b", "c"], "response": ["x", None, float("nan")]})
    assert np.isfinite(got["score"]).tolist() == [True, False, False]
    assert got["error"][0] is None and all(e.startswith("no response; ") for e in got["error"][1:])
    with pytest.raises(DataError, match="the rows have no id; their columns are response"):
        scorer({"response": ["x"]})
    with pytest.raises(DataError, match="^the columns of the batch have different lengths: id 2, response 1$"):
        scorer({"id": ["a", "b"], "response": ["x"]})
    assert scorer({"id": [7], "response": ["x"]})["id"].tolist() == [7]
    scorer.judge.close()


def test_another_model_than_expected_is_refused(tiny_model):
    with pytest.raises(ModelFileError, match="is another model: fingerprint .*, expected abc"):
        ScoreBatch(str(tiny_model), rubric=RUBRIC, options=OPTIONS, fingerprint="abc")


class FakeRay:
    """Ray Data in this process: what `spoil(round, number, result)` makes of every batch's result comes back."""

    class exceptions:
        RayError = type("RayError", (Exception,), {})
        RayTaskError = type("RayTaskError", (RayError,), {})

    def __init__(self, spoil):
        self.rounds, self.spoil = 0, spoil
        self.data = types.SimpleNamespace(from_arrow=self.from_arrow, ActorPoolStrategy=lambda **_: None)

    def from_arrow(self, tables):
        self.tables = tables
        return self

    def map_batches(self, kind, fn_constructor_kwargs, **_):
        self.make = functools.partial(kind, **fn_constructor_kwargs)
        return self

    def iter_batches(self, **_):
        self.rounds += 1
        worker = self.make()
        for number, table in enumerate(self.tables):
            result = self.spoil(self.rounds, number, worker(table))
            if result is not None:
                yield result


def read_with(model, spoil, texts, context=None):
    """Readings of the texts by way of a fake cluster, how often it was asked, and the judge's counts."""
    with Judge(model, rubric=RUBRIC, options=Cluster(3).here(OPTIONS)) as judge:
        fake = FakeRay(spoil)
        judge.evaluator = scaleout._Spread(fake, judge, Cluster(3), Cluster(3).there(OPTIONS))
        if context:
            judge.evaluator._made["context"] = context
        return list(judge.score(texts)), fake.rounds, judge.counts


def failed(result):
    import pyarrow

    told = error_to_json(BackendError("no memory", "buy some"))
    return pyarrow.Table.from_pylist([scaleout._row(k, error=told) for k in result["key"].to_pylist()], result.schema)


@needs_arrow
def test_batches_that_fail_or_get_lost_are_sent_again_and_nothing_else(tiny_model):
    texts = items(24)
    expected, _ = judged(tiny_model, texts)

    def spoil(number, batch, result):
        if number > 1:
            return result
        return failed(result) if batch == 0 else None if batch == 1 else result

    got, rounds, counts = read_with(tiny_model, spoil, texts)
    assert rounds == 2 and counts.done == 24
    assert [j.id for j in got] == [i.id for i in texts]
    assert [j.score for j in got] == pytest.approx([j.score for j in expected], abs=1e-4)


@needs_arrow
def test_a_batch_that_never_works_ends_the_run_with_its_own_error(tiny_model):
    with pytest.raises(BackendError) as caught:
        read_with(tiny_model, lambda number, batch, result: failed(result) if batch == 0 else result, items(24))
    assert (caught.value.message, caught.value.hint) == ("no memory", "buy some")
    with pytest.raises(BackendError, match="24 prompts were not read by any worker"):
        read_with(tiny_model, lambda *_: None, items(24))


@needs_arrow
def test_a_worker_that_would_compute_other_numbers_is_refused_at_once(tiny_model):
    asked = []
    with pytest.raises(BackendError, match="would compute other numbers: llama.cpp"):
        read_with(tiny_model, lambda number, *rest: asked.append(number) or rest[-1], items(6), context=b"another")
    assert asked == [1]


@needs_arrow
def test_a_worker_with_another_model_tells_it_in_every_row(tiny_model, tmp_path):
    import pyarrow

    worker = ReadBatch(str(tiny_model), "abc", b"", OPTIONS.__dict__, None)
    rows = worker(pyarrow.table({"key": pyarrow.array([b"1", b"2"], pyarrow.binary())})).to_pylist()
    told = [type(error_from_json(row["error"])) for row in rows]
    assert told == [ModelFileError] * 2 and all(row["fatal"] for row in rows)


@needs_ray
def test_two_workers_score_like_one_process_and_fill_the_store_here(tiny_model, tmp_path):
    """By the command line, in a process of its own: rows in order, 1.10 times the tokens at most, all readings here."""
    texts = items(60)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"id": i.id, **i.fields}) + "\n" for i in texts))
    (tmp_path / "good.toml").write_text(
        'scale = "1-5"\ncriterion = "Is it good?"\ntemplate = "{sections} {criterion}"\n'
    )
    expected, counts = judged(tiny_model, texts)
    command = [
        sys.executable,
        "-m",
        "lager_lite",
        "score",
        "in.jsonl",
        "-m",
        str(tiny_model),
        "-r",
        "good.toml",
        "-b",
        "128",
    ]
    command += ["-ub", "128", "--ray", "local", "--online", "--workers", "2", "--store", "s.sqlite"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = functools.partial(subprocess.run, cwd=tmp_path, env=environment, capture_output=True, text=True)
    done = run([*command, "-o", "a.jsonl"])
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [r["id"] for r in rows] == [i.id for i in texts]
    assert max(abs(r["score"] - j.score) for r, j in zip(rows, expected)) < 0.01
    evaluated = int(done.stderr.split(" failed; ")[1].split(" of ")[0])
    assert counts.evaluated_tokens <= evaluated <= 1.10 * counts.evaluated_tokens
    with Store(tmp_path / "s.sqlite") as store:
        assert store.info().readings == 60
    again = run([*command, "-o", "b.jsonl"])
    assert again.returncode == 0 and "60 from the store" in again.stderr and " 0 of " in again.stderr, again.stderr
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


@needs_ray
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="the workers are found in /proc")
def test_a_worker_killed_in_the_middle_changes_nothing(tiny_model, monkeypatch):
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    texts, killed = items(120, groups=24), []
    expected, _ = judged(tiny_model, texts)

    def kill_one(counts):
        if not killed and 0 < counts.done < 120:
            killed.extend(workers(mark)[:1])
            os.kill(killed[0], signal.SIGKILL)

    cluster = Cluster(2)
    with Judge(tiny_model, rubric=RUBRIC, options=cluster.here(OPTIONS)) as judge, spread(judge, cluster, OPTIONS):
        got = list(judge.score(texts, progress=kill_one))
    assert killed, "no worker was killed"
    assert [j.id for j in got] == [i.id for i in texts] and judge.counts.done == 120
    assert max(abs(a.score - b.score) for a, b in zip(got, expected)) < 0.01


@needs_ray
def test_the_recipe_for_ray_scores_like_one_process(tiny_model):
    import ray

    texts = items(12)
    expected, _ = judged(tiny_model, texts)
    # One for the judge, which stays, and one for what sorts the rows.
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        rows = ray.data.from_items([{"id": i.id, **i.fields} for i in texts]).sort("source")
        scored = rows.map_batches(
            ScoreBatch,
            fn_constructor_kwargs={"model": str(tiny_model), "rubric": RUBRIC, "threads": 1},
            compute=ray.data.ActorPoolStrategy(size=1),
            num_cpus=1,
            batch_size=6,
        ).take_all()
    finally:
        ray.shutdown()
    got = {row["id"]: row["score"] for row in scored}
    assert [got[j.id] for j in expected] == pytest.approx([j.score for j in expected], abs=0.01)
