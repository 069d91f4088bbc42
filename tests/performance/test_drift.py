"""Same in, same out: the drift is measured, and --exact bounds it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lager_lite.backbones.locate import locate_model
from lager_lite.cli import main
from lager_lite.errors import LagerError
from lager_lite.llama.options import BackendOptions
from lager_lite.performance import drift
from lager_lite.prompts import make_rubric
from lager_lite.records import Item, Judgment

TEXTS = ("Apple, pear and plum.", "I would rather not.", "Three: fig, lime, kiwi.", "Fruits are healthy. " * 8)
ITEMS = tuple(Item(str(i), {"response": text}) for i, text in enumerate(TEXTS))
RUBRIC = make_rubric("good", "Is it good?", scale="1-5")


def judgment(name: str, score: float) -> Judgment:
    return Judgment(id=name, rubric="r", score=score, direct=1.0, e_score=score, uniform=2 * score)


def test_the_largest_difference_counts_and_so_do_equal_bits():
    first = {(n, "r"): judgment(n, s) for n, s in (("a", 1.0), ("b", 2.0), ("c", 3.0))}
    found = {(n, "r"): judgment(n, s) for n, s in (("a", 1.0), ("b", 2.25), ("c", 2.875))}
    moved = drift._moved("default", "other order", first, found)
    assert moved.points == {"direct": 0.0, "e_score": 0.25, "uniform": 0.5} and moved.identical == 1
    with pytest.raises(LagerError, match="with one by one, 1 judgment failed"):
        drift._moved("default", "one by one", first, {k: v for k, v in found.items() if k[0] != "a"})


def test_every_change_is_one_change_and_the_order_really_differs():
    base = BackendOptions(threads=4, batch_size=512, ubatch_size=512)
    changes = list(drift._changes(base, 20))
    assert [c[0] for c in changes] == [
        "nothing",
        "run again",
        "1 thread",
        "2 threads",
        "batches of 64",
        "batches of 128",
        "other order",
        "one by one",
    ]
    assert all(sorted(i for run in runs for i in run) == list(range(20)) for _, _, runs in changes)
    assert changes[6][2][0] != list(range(20)) and len(changes[7][2]) == 20
    assert [c[1].threads for c in changes] == [4, 4, 1, 2, 4, 4, 4, 4]
    assert (changes[4][1].batch_size, changes[4][1].ubatch_size) == (64, 64)


@pytest.mark.parametrize("kind", ["F32", "Q4_1"])
def test_a_tiny_model_stays_within_the_bound_under_both_settings(tmp_path, kind):
    """float32 sums depend on the shape of a batch, in the last digits (seen: 1e-6); Q4_1 does not move."""
    from tests.model_files.tiny import write_tiny_model

    model = write_tiny_model(tmp_path / "m.gguf", "llama", ftype=kind)
    found = drift.measure_drift(model, [RUBRIC], ITEMS, BackendOptions(threads=2))
    assert found.judgments == len(ITEMS) and len(found.rows) == 12
    for settings in drift.SETTINGS:
        assert max(found.largest(settings).values()) <= (1e-4 if kind == "F32" else 0.0)


@pytest.mark.model
def test_exact_bounds_the_drift_of_the_default_model_at_a_ten_thousandth_of_a_point():
    try:
        model = locate_model(None).path
    except LagerError as error:
        pytest.skip(f"the default model is not installed: {error.hint}")
    found = drift.measure_drift(model, [RUBRIC], ITEMS, settings=("exact",))
    print(found.to_dict())
    assert max(found.largest("exact").values()) <= 1e-4


def test_the_command_prints_a_table_or_json_and_needs_two_judgments(tmp_path, tiny_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text(
        "".join(json.dumps({"id": i.id, "response": i.fields["response"]}) + "\n" for i in ITEMS)
    )
    (tmp_path / "r.toml").write_text('scale = "1-5"\ncriterion = "Good?"\ntemplate = "{sections} {criterion}"\n')
    common = ["drift", "in.jsonl", "-m", str(tiny_model), "-r", "r.toml", "-t", "1", "--no-guard"]
    done = CliRunner().invoke(main, common, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("llama.gguf, 4 judgments; largest difference of any score, in points\n")
    assert "\nexact, one by one " in done.stdout
    done = CliRunner().invoke(main, [*common, "--exact", "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert list(found["largest"]) == ["exact"] and {r["settings"] for r in found["rows"]} == {"exact"}
    done = CliRunner().invoke(main, [*common, "-c", "30"], catch_exceptions=False)
    assert done.exit_code == 1 and "Error: too few judgments to compare: 0" in done.stderr


def test_the_same_command_twice_gives_the_same_bytes(tmp_path, tiny_model, monkeypatch):
    """Without a store, so that everything is evaluated twice; two threads, as a machine would."""
    monkeypatch.chdir(tmp_path)
    rows = (json.dumps({"id": i, "response": f"text {i} " * (1 + i % 7)}) + "\n" for i in range(60))
    (tmp_path / "in.jsonl").write_text("".join(rows))
    (tmp_path / "r.toml").write_text('scale = "1-5"\ncriterion = "Good?"\ntemplate = "{sections} {criterion}"\n')
    for name in ("a.jsonl", "b.jsonl"):
        command = [*f"score in.jsonl -m {tiny_model} -r r.toml --no-store --no-guard -t 2 --per-layer -o".split(), name]
        assert CliRunner().invoke(main, command, catch_exceptions=False).exit_code == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert len((tmp_path / "a.jsonl").read_bytes().splitlines()) == 60


def test_exact_is_measured_with_the_products_of_exact(tiny_model, monkeypatch):
    seen = []
    monkeypatch.setattr(
        drift, "_scores", lambda model, rubrics, orders, options: seen.append(options.unpack) or {("a", "r"): None}
    )
    with pytest.raises(LagerError, match="too few judgments"):
        drift.measure_drift(tiny_model, [RUBRIC], ITEMS, settings=("exact",))
    assert seen == [BackendOptions.exact().unpack]
