"""The fastest way to multiply is measured once for a machine and a kind of file, remembered, and used."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.llama import requantize
from lager_lite.llama.guard import check_loads
from lager_lite.llama.library import load
from lager_lite.llama.options import BackendOptions
from lager_lite.llama.products import choose_products
from lager_lite.llama.ways import Ways, has_ways, recall_ways, remember_ways


@pytest.fixture
def quantized(tmp_path, monkeypatch, tiny_model):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return requantize(tiny_model, tmp_path / "q.gguf", "Q8_0")


@pytest.mark.parametrize(
    ("unpacked", "file", "steady", "best"),
    [(100, 121, True, "off"), (100, 119, True, "fastest"), (100, 500, False, "fastest"), (500, 100, True, "fastest")],
)
def test_the_file_as_it_is_must_be_clearly_faster_and_as_steady(unpacked, file, steady, best) -> None:
    assert Ways(unpacked, file, steady).best == best


def test_what_was_measured_is_used_for_every_file_of_the_kind(quantized, monkeypatch) -> None:
    library = load()
    monkeypatch.setattr(library, "unpack_version", lambda: 1)
    monkeypatch.setattr(library, "unpack_type", lambda: "f32")
    assert recall_ways(library, quantized) is None
    assert choose_products(library, "auto", quantized).name == "unpacked to f32, version 1"
    remember_ways(library, quantized, Ways(100.0, 300.0, True))
    assert recall_ways(library, quantized) == Ways(100.0, 300.0, True)
    assert choose_products(library, "auto", quantized).name == "llama.cpp's"
    assert choose_products(library, "fastest", quantized).name == "unpacked to f32, version 1"


@pytest.mark.skipif(load().unpack_version() is None, reason="the loaded llama.cpp is a stock one")
def test_the_first_load_of_a_kind_measures_both_ways(quantized, tiny_model, invoke) -> None:
    assert not has_ways(load(), tiny_model), "float weights are multiplied in one way"
    assert check_loads(quantized, BackendOptions(threads=1))
    ways = recall_ways(load(), quantized)
    assert ways is not None and np.all(np.isfinite([ways.unpacked, ways.file])) and min(ways.unpacked, ways.file) > 0
    assert f"weights           {ways.text()}\n" in invoke("doctor", "-m", quantized, "-t", 1, "--no-trial").stdout
