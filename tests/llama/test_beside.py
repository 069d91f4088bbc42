"""On a GPU several contexts read at the same time, each a share of the prompts."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.llama import Backbone, BackendOptions, ContextsBeside, beside, evaluate_beside
from lager_lite.llama.library import Device, load
from lager_lite.llama.schedule import share_prompts


@pytest.fixture
def prompts() -> list[np.ndarray]:
    """Eight articles with three questions each, in no order."""
    rng = np.random.default_rng(2)
    articles = [rng.integers(3, 250, 30) for _ in range(8)]
    found = [np.concatenate([a, rng.integers(3, 250, 4)]).astype(np.int32) for a in articles for _ in range(3)]
    return [found[i] for i in rng.permutation(len(found))]


@pytest.fixture
def gpu(monkeypatch):
    """Makes the CPU pass for a CUDA device with this much free memory."""

    def give(free: int) -> None:
        monkeypatch.setattr(load(), "devices", lambda: [Device("CUDA0", "a GPU", "GPU", free, free)])

    return give


@pytest.fixture
def backbone(tiny_model):
    with Backbone(tiny_model, BackendOptions(threads=4, batch_size=64, gpu_layers=0)) as backbone:
        backbone.gpu_layers = -1
        yield backbone


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_shares_hold_every_prompt_once_and_cut_no_article(parts, prompts) -> None:
    shares = share_prompts(prompts, parts)
    assert len(shares) == parts and sorted(sum(shares, [])) == list(range(len(prompts)))
    articles = [{prompts[i][:30].tobytes() for i in share} for share in shares]
    assert sum(map(len, articles)) == 8
    sizes = [len(found) for found in articles]
    assert max(sizes) - min(sizes) <= 2


def test_contexts_side_by_side_read_what_one_reads(prompts, backbone, gpu) -> None:
    gpu(2**40)
    with backbone.context(64) as first:
        others = ContextsBeside(backbone)
        contexts = others.for_work(first, 10**6)
        assert len(contexts) == beside.CONTEXTS == 2 and contexts[0] is first
        assert others.for_work(first, 10**6) == contexts, "they are opened once"
        alone = {i: g.states[row] for g in first.evaluate(prompts) for row, i in enumerate(g.prompts)}
        groups = list(evaluate_beside(contexts, prompts))
        found = {i: g.states[row] for g in groups for row, i in enumerate(g.prompts)}
        assert sorted(found) == list(range(len(prompts)))
        # Steps are cut elsewhere, and flash attention sums in f16.
        np.testing.assert_allclose([found[i] for i in found], [alone[i] for i in found], rtol=0, atol=5e-3)
        left = evaluate_beside(contexts, prompts)
        next(left)
        left.close()
        assert len(list(evaluate_beside(contexts, prompts))) == len(groups), "a use that was left is ended"
        others.close()


def test_one_context_reads_where_more_would_not_pay_or_fit(prompts, backbone, gpu) -> None:
    gpu(2**40)
    with backbone.context(64) as first:
        others = ContextsBeside(backbone)
        assert len(others.for_work(first, 2 * 2 * 64)) == 2
        assert others.for_work(first, 2 * 2 * 64 - 1) == [first], "little work"
        others.close()
        gpu(2**30 + 2**29)
        assert others.for_work(first, 10**6) == [first], "little memory"
        gpu(2**40)
        backbone.gpu_layers = 3
        assert others.for_work(first, 10**6) == [first], "the CPU computes a part"
        backbone.gpu_layers = 0
        assert others.for_work(first, 10**6) == [first]


@pytest.mark.parametrize(
    ("options", "count"), [({"steady": True, "unpack": "off"}, 8), ({"flash_attn": "off"}, 8), ({"threads": 1}, 1)]
)
def test_more_contexts_read_single_prompts(options, count, tiny_model, gpu) -> None:
    gpu(2**40)
    with Backbone(
        tiny_model, BackendOptions(**{"threads": 9, "batch_size": 8, "gpu_layers": 0, **options})
    ) as backbone:
        backbone.gpu_layers = -1
        with backbone.context(64) as first:
            others = ContextsBeside(backbone)
            assert len(others.for_work(first, 10**6)) == count
            others.close()


def test_what_fails_in_one_context_is_raised(prompts, backbone, gpu, monkeypatch) -> None:
    gpu(2**40)
    with backbone.context(64) as first:
        others = ContextsBeside(backbone)
        contexts = others.for_work(first, 10**6)

        def failing(*_: object) -> None:
            raise ValueError("no such decode")

        monkeypatch.setattr(contexts[-1], "_run", failing)
        with pytest.raises(ValueError, match="no such decode"):
            list(evaluate_beside(contexts, prompts))
        monkeypatch.undo()
        others.close()
