"""Re-quantized copies: what is measured, what is kept, what is refused."""

from __future__ import annotations

import pytest

from lager_lite.backbones.model_file import open_model
from lager_lite.errors import BackendError
from lager_lite.llama.quantize import requantize
from lager_lite.performance.tuning import Candidate, Tuning, tune
from lager_lite.prompts import make_rubric
from lager_lite.records import Item

RUBRIC = make_rubric("short", "Is it short?", template="{sections}\n{criterion}")
ITEMS = [Item(str(i), {"response": f"answer number {i}"}) for i in range(4)]


def test_a_float16_copy_is_measured_beside_the_file(tmp_path, tiny_model):
    found = tune(tiny_model, RUBRIC, ITEMS, kinds=("F16",), rounds=1)
    own, copy = found.candidates
    assert (own.kind, own.ratio, own.state_drift, own.layer_drift) == ("F32", 1.0, 0.0, 0.0)
    assert (own.bytes, copy.kind) == (tiny_model.stat().st_size, "F16")
    assert copy.bytes < own.bytes
    # Halved mantissas show in the states, and only just.
    assert 1e-6 < copy.state_drift < 1e-2
    assert 0 < copy.layer_drift < 0.1
    assert found.kept is None and found.tokens > 0


def test_a_quantization_that_llama_cpp_refuses_is_reported_and_the_others_go_on(monkeypatch, tiny_model):
    def refuse(source, target, kind):
        if kind == "BF16":
            raise BackendError("llama.cpp cannot write this as BF16")
        return requantize(source, target, kind)

    monkeypatch.setattr("lager_lite.performance.tuning.requantize", refuse)
    found = tune(tiny_model, RUBRIC, ITEMS, kinds=("BF16", "F16"), rounds=1)
    assert {c.kind: c.error for c in found.candidates} == {
        "F32": None,
        "F16": None,
        "BF16": "llama.cpp cannot write this as BF16",
    }


def test_only_the_fastest_copy_is_kept(monkeypatch, tmp_path, tiny_model):
    monkeypatch.setattr(
        "lager_lite.performance.tuning._Sample._speed", lambda self, judge: 200.0 if judge is not self.base else 100.0
    )
    found = tune(tiny_model, RUBRIC, ITEMS, kinds=("F16",), rounds=1, keep=tmp_path / "cache")
    assert (found.fastest.kind, found.fastest.ratio) == ("F16", 2.0)
    assert [found.kept] == list((tmp_path / "cache").iterdir())
    assert open_model(found.kept).info.quantization == "F16"


def test_nothing_is_kept_where_the_file_itself_is_fastest(monkeypatch, tmp_path, tiny_model):
    monkeypatch.setattr(
        "lager_lite.performance.tuning._Sample._speed", lambda self, judge: 50.0 if judge is not self.base else 100.0
    )
    assert tune(tiny_model, RUBRIC, ITEMS, kinds=("F16",), rounds=1, keep=tmp_path / "cache").kept is None
    assert list((tmp_path / "cache").iterdir()) == []


def test_unknown_quantizations_are_named_before_anything_is_written(tmp_path, tiny_model):
    with pytest.raises(BackendError, match="unknown quantization Q9 and IQ0"):
        tune(tiny_model, RUBRIC, ITEMS, kinds=("Q9", "F16", "IQ0"), keep=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_failed_candidates_are_never_the_fastest():
    rows = (Candidate("Q4_1", 1, 1.0, 1.0, 0, 0, 0), Candidate("BF16", 0, 0, 9.0, 0, 0, 0, "no"))
    assert Tuning("m", 1, 1, rows).to_dict()["fastest"] == "Q4_1"
