"""Values of options as people write them."""

from __future__ import annotations

import json

import click
import pytest

from lager_lite.cli.options import TOP, WEIGHTS
from lager_lite.errors import BackendError
from lager_lite.llama import MOST_THREADS, BackendOptions
from lager_lite.scoring import load_weights
from lager_lite.system import shipped_folder

SHIPPED = "smollm2-135m-instruct-faithfulness"


@pytest.mark.parametrize(("text", "value"), [("20%", 0.2), ("100%", 1.0), ("0.2", 0.2), ("20", 20), ("1", 1)])
def test_a_share_may_be_written_in_percent(text, value):
    found = TOP.convert(text, None, None)
    assert found == value and type(found) is type(value)


def test_percent_of_the_rows_are_kept(run, tmp_path, tiny_model):
    rows = [{"instruction": f"ask {n}", "input": "", "output": f"text {n}"} for n in range(10)]
    (tmp_path / "in.json").write_text(json.dumps(rows))
    done = run("select", "in.json", "--top", "20%", "-o", "o.json", "-m", tiny_model, "-r", "good.toml", "-t", 1)
    assert done.exit_code == 0 and len(json.loads((tmp_path / "o.json").read_text())) == 2, done.output


def test_weights_that_ship_are_found_by_name_and_a_file_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = shipped_folder()
    assert folder is not None
    found = WEIGHTS.convert(SHIPPED, None, None)
    assert found == str(folder / f"{SHIPPED}.json") and load_weights(found).weights.kind
    (tmp_path / SHIPPED).write_text("{}")
    assert WEIGHTS.convert(SHIPPED, None, None) == SHIPPED


def test_score_takes_the_name_of_weights(run, tmp_path, tiny_model):
    """They belong to another model, which shows that they were read."""
    (tmp_path / "in.jsonl").write_text('{"id": "a", "response": "b"}\n')
    done = run("score", "in.jsonl", "-r", "good.toml", "-m", tiny_model, "-w", SHIPPED, "--no-guard")
    assert done.exit_code == 1 and "the weights cannot be used: " in done.stderr, done.output


def test_weights_that_are_no_file_name_those_that_ship():
    with pytest.raises(click.BadParameter) as caught:
        WEIGHTS.convert("nosuch", None, None)
    assert caught.value.message == (
        "File 'nosuch' does not exist. Weights that ship: smollm2-135m-instruct-faithfulness."
    )


@pytest.mark.parametrize("words", [("-fa", "on"), ("-ctk", "f16"), ("-ctv", "auto"), ("--weights-as", "file")])
def test_what_exact_would_ignore_is_refused(run, tmp_path, words):
    (tmp_path / "in.jsonl").write_text('{"response": "Yes."}\n')
    done = run("score", "in.jsonl", "--exact", *words)
    assert (
        done.exit_code == 2 and "--exact sets --" in done.output and "by itself: leave one of them out" in done.output
    )


def test_bench_measures_exact_beside_other_settings(run, tmp_path, tiny_model):
    (tmp_path / "in.jsonl").write_text('{"response": "Yes."}\n')
    common = ("-m", tiny_model, "-r", "good.toml", "-t", 1, "--rounds", 1, "--tokens", 65)
    done = run("bench", "in.jsonl", "-fa", "on", *common)
    assert done.exit_code == 0 and "the same with --exact" in done.output, done.output


def test_exact_may_be_spelled_out_and_comes_before_the_settings(run, tmp_path, tiny_model):
    (tmp_path / "in.jsonl").write_text('{"response": "Yes."}\n')
    (tmp_path / "lager-lite.toml").write_text('cache-type-v = "f16"\n')
    said = ("-fa", "off", "-ctk", "f32", "--weights-as", "unpacked")
    done = run("score", "in.jsonl", "--exact", *said, "-m", tiny_model, "-r", "good.toml", "-t", 1, "--no-store")
    assert done.exit_code == 0, done.output


def test_more_threads_than_llama_cpp_can_start_are_refused(run, tmp_path, tiny_model):
    (tmp_path / "in.jsonl").write_text('{"response": "Yes."}\n')
    done = run("score", "in.jsonl", "-m", tiny_model, "-r", "good.toml", "-t", MOST_THREADS + 1)
    assert done.exit_code == 2 and f"1<=x<={MOST_THREADS}" in done.output
    for threads in (0, -1, MOST_THREADS + 1, 100_000):
        with pytest.raises(BackendError, match=f"{threads} threads were asked for, and llama.cpp takes 1 to"):
            BackendOptions(threads=threads)
    assert BackendOptions(threads=MOST_THREADS).thread_count() == MOST_THREADS


def test_a_machine_with_more_cores_than_llama_cpp_has_threads(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(1000), raising=False)
    assert BackendOptions().thread_count() == MOST_THREADS
