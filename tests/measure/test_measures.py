"""The commands that measure run, and count what they say they count."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.measure import (
    decode_times,
    demo_surface,
    fit_times,
    gpu,
    intervals,
    panels,
    peak,
    serving,
    side_by_side,
    start_times,
    store_size,
    time_left,
    time_shares,
)
from tests.measure.simulated import Case, drawn, labelled


def test_fit_times_names_every_kind(capsys):
    fit_times.main(["--items", "120", "--states", "4"])
    shown = capsys.readouterr().out
    assert shown.startswith("120 items, 4 states, 5 labels; strength chosen in 5 folds\n")
    assert [line.split()[0] for line in shown.splitlines()[1:5]] == ["uniform", "simplex", "signed", "full"]


def test_intervals_of_the_best_of_three_kinds_are_those_of_the_verdict(capsys):
    intervals.main(["--only", "kinds", "--runs", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(", null")[0] for line in lines] == [
        "best of 3 kinds, n = 40",
        "best of 3 kinds, n = 100",
        "best of 3 kinds, 30 groups of 7",
    ]


def test_panels_are_drawn_and_the_layers_of_both_are_fitted_at_once(capsys):
    x, human, group = drawn(Case(30, 2, 3.0), np.random.default_rng(0), 30)
    know, noise = x.reshape(60, 3, 5), np.random.default_rng(1).normal(size=(60, 2, 3))
    read = [replace(labelled(x, human, group), states=states.astype(np.float16)) for states in (know, noise)]
    assert panels.all_layers(read).shape == (60, 5, 5)
    panels.show_draws(read, ("A", "B"), [40], 3)
    first, second, equal, whole, stacked = map(float, capsys.readouterr().out.splitlines()[2].split()[1:])
    assert first > 0.4 > abs(second) and min(equal, whole, stacked) > 0.2


def test_store_size_finds_what_it_wrote(capsys):
    store_size.main(["--readings", "700", "--states", "4"])
    assert capsys.readouterr().out.startswith("700 readings of 4 x 5: ")


def test_decode_times_measures_every_length(tiny_model, capsys):
    decode_times.main(["-m", str(tiny_model), "-t", "1", "--prompts", "20", "600", "--behind", "30", "--rounds", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "20 tokens",
        "600 tokens",
        "1 behind 30",
        "16 behind 30",
        "96 behind 30",
    ]
    assert all(float(line.split(": ")[1].split()[0]) > 0 for line in lines[1:])


def test_the_surface_of_the_demo_is_measured_without_a_model(capsys):
    assert demo_surface.share_right(
        ["a", "a", "a", "b"], [1, 2, 3, 4], np.array([0.0, 1.0, 0.5, 9.0])
    ) == pytest.approx(2 / 3)
    demo_surface.main()
    shown = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert set(shown) == {"length", "surface"} and shown["length"] == "58%"


def test_a_server_is_measured_over_its_kill(tiny_model, tmp_path):
    found = serving.measure(str(tiny_model), 4, 60, 6, tmp_path)
    assert (found["wrong"], found["exit_code"]) == ([], 143)
    assert sum(found["statuses"].values()) >= 60 and set(found["statuses"]) >= {200, 401}
    assert found["largest_difference"] < 1e-3


def test_time_left_is_predicted_for_every_share(tiny_model, tmp_path, capsys):
    rows = "".join(f'{{"id": "{n}", "response": "{"One. " * (1 + n % 9)}"}}\n' for n in range(40))
    (tmp_path / "in.jsonl").write_text(rows)
    time_left.main([str(tmp_path / "in.jsonl"), "-m", str(tiny_model), "-t", "1", "--mixed", "--window", "10"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("40 judgments in ") and len(lines) == 1 + len(time_left.SHARES)


def test_sides_are_measured_in_turn_in_processes_of_their_own(tiny_model, tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": "{n}", "response": "Number {n}."}}\n' for n in range(4)))
    one = ["--side", "one", f"model={tiny_model}", "threads=1"]
    two = ["--side", "two", f"model={tiny_model}", "threads=1", "processes=2", "weights=file"]
    plain = ["--side", "limit", f"model={tiny_model}", "threads=1", "measure=plain"]
    side_by_side.main([str(tmp_path / "in.jsonl"), *one, *two, *plain, "--rounds", "1", "--patience", "0"])
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[3:]]
    assert [row[0] for row in rows] == ["one", "two", "limit"] and rows[0][4] == "1.00"
    assert all(float(row[1]) > 0 for row in rows) and [row[3] == "-" for row in rows] == [False, False, True]


@pytest.mark.parametrize("word", ["threads=0", "weights=bf16", "library=/nowhere", "speed"])
def test_a_side_that_cannot_be_measured_is_refused(word):
    with pytest.raises(SystemExit, match=word):
        side_by_side.parse_side(["one", word])


def test_shares_of_the_time_sum_up_to_the_whole(tiny_model, tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": "{n}", "response": "Number {n}."}}\n' for n in range(20)))
    time_shares.main([str(tmp_path / "in.jsonl"), "-m", str(tiny_model)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [*time_shares.PARTS, "outside llama.cpp"]
    assert sum(float(line.split(": ")[1].rstrip("%")) for line in lines[1:]) == pytest.approx(100, abs=2.5)


def test_the_peak_of_the_processor_is_measured_and_operations_are_counted():
    found = peak.of_processor(turns=20_000, memory=2**22)
    assert found.keys() - {"bf16"} == {"float32", "read"} and min(found.values()) > 0.1
    shapes = {"token_embd.weight": (4, 10), "blk.0.norm": (4,), "blk.0.w": (4, 3)}
    tensors = {name: SimpleNamespace(shape=shape) for name, shape in shapes.items()}
    file = SimpleNamespace(tensors=tensors, info=SimpleNamespace(n_embd=4, n_blocks=1))
    assert peak.operations(file, 3) == 2 * 12 + 4 * 4 * 2  # each of three tokens attends to two on average


def test_start_times_are_those_of_help_texts_and_of_the_first_decode(tiny_model, capsys):
    start_times.main(["-m", str(tiny_model), "--rounds", "1"])
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{tiny_model.name}, ")
    assert [line.partition(": ")[0] for line in lines] == [
        "lager-lite --help",
        "lager-lite score --help",
        "score two items",
        "Judge(model)",
    ]
    assert all(0 < float(word) < 60 for line in lines for word in line.split() if word[:1].isdigit())


@pytest.fixture
def little_newsroom(tmp_path, monkeypatch):
    """A file of 24 items in 12 groups with scores of the four criteria."""
    monkeypatch.setattr(gpu, "CHARACTERS", 40)
    monkeypatch.setattr(gpu, "ARTICLES", 6)
    scores = ", ".join(f'"{path.stem}": [%d]' for path in gpu._RUBRICS)
    row = '{"id": "%d", "source": "Article %d.", "response": "Number %d.", "scores": {' + scores + "}}"
    lines = [row % (n, n // 2, n * n, *(1 + (n + c) % 5 for c in range(4))) for n in range(24)]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_a_gpu_is_measured_in_three_tables(tiny_model, little_newsroom, capsys):
    gpu.main([little_newsroom, "-m", str(tiny_model), "--rounds", "2", "--cpu-only"])
    times, off, agree = (table.splitlines() for table in capsys.readouterr().out.strip().split("\n\n"))
    assert [row.split(" | ")[0] for row in times[2:]] == [f"| {way.name}" for way in gpu.ways(0)]
    assert off[2] == f"| {gpu.COPY} | 0.000 points | 0.000 | 1.000 |", "the CPU against itself"
    assert [row.split(" | ")[0] for row in agree[2:]] == [f"| {name}" for name in (gpu.CPU, gpu.COPY, gpu.FILE)]
    assert all(len(row.split(" | ")) == 4 and len(set(row.rstrip(" |").split(" | ")[1:])) == 1 for row in agree[2:])


def test_without_a_gpu_nothing_is_measured(tiny_model, little_newsroom, monkeypatch):
    monkeypatch.setattr(gpu.load(), "devices", lambda: [])
    with pytest.raises(SystemExit, match="nothing was measured"):
        gpu.main([little_newsroom, "-m", str(tiny_model)])
