"""What is asked for and cannot be had is said; what holds already costs nothing."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from lager_lite.errors import BackendError, LagerWarning
from lager_lite.judging import Judge
from lager_lite.llama import Backbone, BackendOptions
from lager_lite.llama.asked import heeded
from lager_lite.llama.library import Device, load
from lager_lite.llama.products import Products

_GPUS = [Device("CUDA0", "an H1", "GPU", 2**40, 2**40), Device("CUDA1", "an H2", "GPU", 2**40, 2**40)]


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(load(), "devices", lambda: [Device("CPU", "a CPU", "CPU", 2**40, 2**40)])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"gpu_layers": "all"}, "gpu_layers='all'"),
        ({"gpu_layers": 10}, "gpu_layers=10"),
        ({"split_mode": "row"}, 'split_mode="row"'),
        ({}, None),
        ({"gpu_layers": 0}, None),
    ],
)
def test_a_gpu_that_is_not_there_is_missed_aloud(asked, said, no_gpu, tiny_model) -> None:
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        Backbone(tiny_model, BackendOptions(threads=1, **asked)).close()
    texts = [str(warning.message) for warning in given if warning.category is LagerWarning]
    assert len(texts) == (said is not None)
    assert all(text.startswith(f"{said}: this library has no GPU device, so the CPU") for text in texts)


@pytest.mark.parametrize(("gpus", "why"), [([], "this library has no GPU device"), (_GPUS, "there is no such GPU")])
def test_the_number_of_a_gpu_that_is_not_there_is_refused(gpus, why, tiny_model, monkeypatch) -> None:
    monkeypatch.setattr(load(), "devices", lambda: gpus)
    for number in (3, -1):
        with pytest.raises(BackendError, match=f"main_gpu={number}: {why}"):
            Backbone(tiny_model, BackendOptions(main_gpu=number))


def test_commands_say_so_once_and_doctor_too(no_gpu, tiny_model, short_rubric, invoke) -> None:
    score = ("score", "-", "-m", tiny_model, "-r", short_rubric, "-t", 1, "--no-store")
    done = invoke(*score, "-ngl", "all", stdin='{"response": "R"}\n')
    assert done.stderr.count("Warning: -ngl all: this library has no GPU device") == 1 and done.exit_code == 0
    done = invoke(*score, "--main-gpu", 3, stdin='{"response": "R"}\n')
    assert "Error: --main-gpu 3: this library has no GPU device\nTry: leave it out, or build" in done.stderr
    told = invoke("doctor", "-m", tiny_model, "--no-trial", "-ngl", 7).stdout
    assert "gpu layers        none: -ngl 7: this library has no GPU device" in told


def test_steady_is_dropped_where_it_holds_already(tiny_model, short_rubric, monkeypatch) -> None:
    """Such a run has the keys, and so the readings and the weights, of one without."""
    for holds in (False, True):
        dropped = {"steady": False} if holds else {}
        monkeypatch.setattr(
            "lager_lite.llama.backbone.heeded", lambda _, given, *more, new=dropped: replace(given, **new)
        )
        options = BackendOptions(threads=1, gpu_layers=0)
        plain = Judge(tiny_model, rubric=short_rubric, options=options)
        with plain, Judge(tiny_model, rubric=short_rubric, options=BackendOptions(steady=True, threads=1)) as steady:
            assert (steady.context_key == plain.context_key) is holds
            assert ("steady" in steady.settings()) is not holds
            assert steady.options.steady is not holds


def test_steady_holds_already_with_our_products_and_our_attention_on_a_cpu(monkeypatch) -> None:
    library, ours, theirs = load(), Products(1, False, 1, "unpacked"), Products(0, True, 2, "llama.cpp's")
    monkeypatch.setattr(library, "ordered_attention_version", lambda: 2)
    options, plain = BackendOptions(steady=True), BackendOptions()
    assert heeded(library, options, 0, ours) == heeded(library, plain, 0, ours) == plain
    assert heeded(library, options, 0, theirs) == options
    assert heeded(library, options, -1, ours) == options
    away = BackendOptions(steady=True, rpc=("a:1",))
    assert heeded(library, away, 0, ours) == away
    monkeypatch.setattr(library, "ordered_attention_version", lambda: None)
    assert heeded(library, options, 0, ours) == options
