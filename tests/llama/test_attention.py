"""A prompt has the same bits whatever other prompts are in the batch, and the patched library's attention is attention."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from lager_lite.judging.judge import Judge
from lager_lite.llama.backbone import Backbone
from lager_lite.llama.library import load
from lager_lite.llama.options import BackendOptions
from tests.effort import FEW, patience
from tests.model_files.families import FAMILIES
from tests.model_files.tiny import write_tiny_model

ATTENTIVE = [name for name in FAMILIES if name != "mamba"]
ordered = pytest.mark.skipif(
    load().ordered_attention_version() is None, reason="the loaded llama.cpp is a stock one (lager-lite backend build)"
)


def prompts(n_vocab):
    """Branches of one text, of one token and of hundreds: many tiles of keys, and blocks of rows that see different ones."""
    rng = np.random.default_rng(2)
    trunk = rng.integers(3, n_vocab, 200)
    lengths = [(200, 90), (200, 1), (130, 150), (130, 1), (64, 3), (63, 70), (1, 5), (0, 1), (0, 310)]
    return [np.concatenate([trunk[:shared], rng.integers(3, n_vocab, own)]).astype(np.int32) for shared, own in lengths]


def read(path, which=None, **options):
    with Backbone(path, BackendOptions(**{"threads": 2, **options})) as backbone:
        tokens = prompts(backbone.n_vocab)
        return [s.states for s in backbone.read_states(tokens if which is None else [tokens[i] for i in which])]


@pytest.fixture(scope="module", params=ATTENTIVE)
def family(request, tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "m.gguf", request.param)


@ordered
def test_it_is_attention(family):
    """Grouped heads, soft caps, ALiBi, sliding windows, heads of 24 dimensions: as the plain graph computes it, but
    for llama.cpp's rounding of keys and values to float16 before any flash attention."""
    options = {"cache_type_k": "f32", "cache_type_v": "f32"}
    plain, own = read(family, flash_attn="off", **options), read(family, flash_attn="on", **options)
    for left, right in zip(plain, own, strict=True):
        largest = np.abs(left).max(axis=-1, keepdims=True)
        assert (np.abs(left - right) <= 2e-3 * largest).all()
        assert np.ptp(right[-1]) > 0


def test_no_prompt_depends_on_the_others_in_its_batch(family):
    """Float matrices of every family, on any library; llama.cpp multiplies a single row by another kernel than several."""
    together = read(family)
    for i, expected in enumerate(together):
        np.testing.assert_array_equal(read(family, [i])[0], expected)


@ordered
@pytest.mark.parametrize("kinds", ["f16 f16", "f32 f32", "bf16 f16", "q8_0 q8_0", "f16 q8_0"])
def test_types_threads_and_order_leave_the_bits_alone(tmp_path, kinds):
    tiny_model = write_tiny_model(tmp_path / "m.gguf", "llama", n_embd=128)  # 32 dimensions a head, as q8_0 needs
    k, v = kinds.split()
    options = {"cache_type_k": k, "cache_type_v": v, "flash_attn": "on"}
    together = read(tiny_model, **options)
    for threads, order in ((1, [8, 3, 0]), (3, [5, 1]), (7, [2, 7, 6, 4])):
        for i, states in zip(order, read(tiny_model, order, threads=threads, **options), strict=True):
            np.testing.assert_array_equal(states, together[i])


def test_readings_of_another_attention_are_not_taken_from_the_store(tiny_model, monkeypatch):
    library, keys = load(), []
    for version in (None, 1, 2, None):
        monkeypatch.setattr(type(library), "ordered_attention_version", lambda self, version=version: version)
        with Judge(tiny_model, options=BackendOptions(threads=1)) as judge:
            keys.append(judge.context_key)
            settings = judge.settings()
    assert len(set(keys)) == 3 and keys[0] == keys[3]
    assert "attention" not in settings  # weights fit both


RATIOS = (1, 17, 71) if FEW else (1, 4, 8, 17, 32, 48, 71, 128)
_CHILD = """
import sys, json, numpy as np
sys.path[:] = json.loads(sys.argv[1])
from lager_lite.llama import Backbone, BackendOptions
def states(threads, flash_attn, **more):
    with Backbone(sys.argv[2], BackendOptions(threads=threads, flash_attn=flash_attn, **more)) as backbone:
        rng = np.random.default_rng(3)
        tokens = [rng.integers(3, backbone.n_vocab, n).astype(np.int32) for n in (1, 2, 3, 7, 16, 64)]
        return [backbone.read_states([one])[0].states for one in tokens]
floats = {"cache_type_k": "f32", "cache_type_v": "f32"}
plain = states(2, "off", **floats)
for threads in (1, 2, 4, 16):
    own = states(threads, "on", **floats)
    for left, right in zip(plain, own):
        assert (abs(left - right) <= 2e-3 * abs(left).max(axis=-1, keepdims=True)).all(), threads
"""


@ordered
@pytest.mark.parametrize("ratio", RATIOS)
def test_many_query_heads_on_one_key_value_head_end_in_time(tmp_path, ratio):
    """Falcon-7B has 71 query heads on one key-value head, StarCoder 48: the search for a block's rows never ended above 16.

    A child process runs it, since what hangs inside the library cannot be interrupted.
    """
    path = write_tiny_model(tmp_path / "m.gguf", "llama", heads=(ratio, 1, 16), n_blocks=2)
    command = [sys.executable, "-c", _CHILD, json.dumps(sys.path), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(120))
    assert done.returncode == 0, done.stderr[-2000:]
