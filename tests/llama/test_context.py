"""On a GPU decodes run ahead of their reader in a thread; here a CPU is taken for one."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from lager_lite.errors import BackendError
from lager_lite.llama import Backbone, BackendOptions, Context
from lager_lite.llama.context import least_rows

# "auto" differs where blocks lie on a GPU. With two types of cache a stock library's attention does not depend on
# which cells a prompt has.
OPTIONS = BackendOptions(threads=1, batch_size=32, ubatch_size=32, cache_type_v="bf16")


@pytest.fixture
def backbone(tiny_model):
    with Backbone(tiny_model, OPTIONS) as loaded:
        yield loaded


@pytest.fixture
def prompts():
    """Eight articles of 20 tokens with three endings each: many decodes of 32 tokens."""
    rng = np.random.default_rng(0)
    articles = [rng.integers(3, 250, 20) for _ in range(8)]
    return [np.concatenate([a, rng.integers(3, 250, 5)]).astype(np.int32) for a in articles for _ in range(3)]


def states(backbone: Backbone, prompts: list[np.ndarray]) -> np.ndarray:
    with backbone.context(32) as context:
        found = {i: g.states[row] for g in context.evaluate(prompts) for row, i in enumerate(g.prompts)}
    return np.stack([found[i] for i in range(len(prompts))])


def test_states_are_those_of_a_run_without_threads(backbone, prompts) -> None:
    """Steps are cut elsewhere without the order of cells, and flash attention sums in f16 (seen: 6e-4)."""
    serial = states(backbone, prompts)
    backbone.gpu_layers = -1
    np.testing.assert_allclose(states(backbone, prompts), serial, rtol=0, atol=5e-3)


def test_a_context_may_be_freed_and_used_again_while_its_thread_decodes(backbone, prompts) -> None:
    backbone.gpu_layers = -1
    before = threading.active_count()
    with backbone.context(32) as context:
        next(context.evaluate(prompts))
        left = context.evaluate(prompts)
        assert next(left).prompts
    assert threading.active_count() == before, "the thread must have ended before the context was freed"


def test_what_fails_in_the_thread_is_raised_to_the_reader(backbone, prompts, monkeypatch) -> None:
    backbone.gpu_layers = -1
    calls = []

    def failing(self: Context, *_: object) -> None:
        calls.append(threading.current_thread().name)
        raise BackendError("no room in the KV cache")

    monkeypatch.setattr(Context, "_run", failing)
    with backbone.context(32) as context, pytest.raises(BackendError, match="no room in the KV cache"):
        list(context.evaluate(prompts))
    assert calls == ["ahead"]


@pytest.mark.parametrize(
    ("given", "layers", "sizes"),
    [
        ({}, 0, (512, 512)),
        ({}, -1, (2048, 2048)),
        ({}, 7, (2048, 2048)),
        ({"batch_size": 100}, -1, (100, 100)),
        ({"batch_size": 4096, "ubatch_size": 64}, 0, (4096, 64)),
        ({"batch_size": 4096}, 0, (4096, 512)),
        ({"ubatch_size": 4096}, 0, (512, 512)),
    ],
    ids=str,
)
def test_batches_are_larger_on_a_gpu(given, layers, sizes) -> None:
    options = BackendOptions(**given)
    assert (options.batch(layers), options.ubatch(layers)) == sizes


@pytest.mark.parametrize("exact", [False, True], ids=["default", "exact"])
def test_steady_states_have_the_same_bits_in_any_company(tiny_model, prompts, exact) -> None:
    """Together, in another order, and one by one; a plan that shares prefixes freely differs here (seen: 1e-7)."""
    make = BackendOptions.exact if exact else BackendOptions
    with Backbone(tiny_model, make(threads=1, batch_size=16, ubatch_size=16, steady=True)) as backbone:
        together = states(backbone, prompts)
        assert np.array_equal(states(backbone, prompts[::-1])[::-1], together)
        assert np.array_equal(np.concatenate([states(backbone, [p]) for p in prompts]), together)
    with Backbone(tiny_model, make(threads=1)) as backbone:
        np.testing.assert_allclose(states(backbone, prompts), together, rtol=0, atol=2e-3 if not exact else 1e-5)


def test_every_steady_decode_has_one_size(tiny_model, prompts, monkeypatch) -> None:
    sizes, run = [], Context._run
    monkeypatch.setattr(
        Context, "_run", lambda self, step, flags: (sizes.append((len(flags), sum(flags))), run(self, step, flags))
    )
    with Backbone(tiny_model, BackendOptions(threads=1, batch_size=16, steady=True, unpack="off")) as backbone:
        states(backbone, prompts)
        rows = least_rows(backbone)
    # So many rows are read of every last piece, none of a first one: 25 tokens are two pieces of 16.
    assert set(sizes) == {(16, 0), (16, rows)} and len(sizes) == 8 * (1 + 3)
