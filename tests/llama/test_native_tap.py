"""The native tap of a patched library reads what the callback tap reads, bit for bit."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lager_lite.backbones.locate import locate_model
from lager_lite.errors import BackendError, LagerError
from lager_lite.llama import native_tap as native
from lager_lite.llama.backbone import Backbone
from lager_lite.llama.callback_tap import CallbackTap
from lager_lite.llama.library import load
from lager_lite.llama.options import BackendOptions
from lager_lite.llama.schedule import Step
from tests.model_files.families import FAMILIES, Family
from tests.model_files.tiny import write_tiny_model

ROOT = Path(__file__).resolve().parents[2]


def stock(version=None):
    return SimpleNamespace(native_tap_version=lambda: version, folder="the folder")


@pytest.fixture
def patched():
    need("native")


def need(tap):
    if tap == "native" and load().native_tap_version() not in native.KNOWN_VERSIONS:
        pytest.skip("the loaded llama.cpp is a stock one: no native tap (lager-lite backend build)")


def hybrid_block(s):
    """A block of falcon-h1: attention and a state-space mixer side by side."""
    inner, state, heads, kernel = 2 * s.n_embd, 16, 4, 4
    mixed = inner + 2 * state
    return [
        ("attn_norm.weight", (s.n_embd,), "gain"),
        *(
            (f"attn_{n}.weight", (rows * s.head_dim, s.n_embd), "matrix")
            for n, rows in zip("qkv", (s.n_head, s.n_kv, s.n_kv))
        ),
        ("attn_output.weight", (s.n_embd, s.n_head * s.head_dim), "matrix"),
        ("ssm_in.weight", (inner + mixed + heads, s.n_embd), "matrix"),
        ("ssm_conv1d.weight", (mixed, kernel), "matrix"),
        ("ssm_conv1d.bias", (mixed,), "bias"),
        ("ssm_dt.bias", (heads,), "ssm_dt"),
        ("ssm_a", (heads, 1), "ssm_a"),
        ("ssm_d", (heads, 1), "gain"),
        ("ssm_out.weight", (s.n_embd, inner), "matrix"),
        ("ffn_norm", (s.n_embd,), "gain"),
        *((f"ffn_{n}.weight", (s.n_ff, s.n_embd), "matrix") for n in ("gate", "up")),
        ("ffn_down.weight", (s.n_embd, s.n_ff), "matrix"),
    ]


HYBRID = Family(
    "falcon-h1",
    hybrid_block,
    {
        f"ssm.{k}": v
        for k, v in {
            "conv_kernel": 4,
            "inner_size": 128,
            "state_size": 16,
            "time_step_rank": 4,
            "group_count": 1,
        }.items()
    },
    tied=True,
)


@pytest.fixture(scope="module", params=[*FAMILIES, "falcon-h1"])
def family(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, "falcon-h1", HYBRID)
        return write_tiny_model(tmp_path_factory.mktemp("tiny") / "m.gguf", request.param)


def prompts(n_vocab, *, lengths=(23, 9, 41, 30, 1, 30), shared=12):
    """Prompts that share a beginning; the third and a later one go over several micro-batches."""
    rng = np.random.default_rng(5)
    trunk = rng.integers(3, n_vocab, shared)
    return [
        np.concatenate([trunk[: n // 2], rng.integers(3, n_vocab, n - n // 2)])[:n].astype(np.int32) for n in lengths
    ]


def read(path, monkeypatch, tap, *, max_state=None, tokens=None, **options):
    monkeypatch.setenv("LAGER_LITE_TAP", tap)
    with Backbone(path, BackendOptions(**{"threads": 1, **options})) as backbone:
        with backbone.context(64) as context:
            assert context.tap.name == tap
        given = prompts(backbone.n_vocab) if tokens is None else tokens
        return backbone.read_states(given, max_state=max_state)


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a.states, b.states)
        assert (a.final is None) == (b.final is None)
        if a.final is not None:
            np.testing.assert_array_equal(a.final, b.final)
            np.testing.assert_array_equal(a.logits, b.logits)


@pytest.mark.parametrize("batch", [(512, 512), (20, 7)], ids=["one ubatch", "many ubatches"])
@pytest.mark.parametrize("k", [None, 0, 1, 2])
def test_both_taps_read_the_same_bits_of_every_family(patched, family, monkeypatch, k, batch):
    size = {"batch_size": batch[0], "ubatch_size": batch[1]}
    left, right = (read(family, monkeypatch, tap, max_state=k, **size) for tap in ("native", "callback"))
    assert left[0].states.shape[0] == (n_blocks(family) if k is None else k) + 1
    assert np.ptp(left[0].states[-1]) > 0
    assert_same(left, right)


def n_blocks(path):
    with Backbone(path) as backbone:
        return backbone.n_blocks


@pytest.mark.parametrize("tap", ["native", "callback"])
def test_an_early_end_has_the_states_of_the_whole_graph_below(family, monkeypatch, tap):
    """Of every micro-batch. granite's graph has a node before state 0, gemma's names the embedding
    twice, before and after its scale: the last one counts."""
    need(tap)
    size = {"batch_size": 20, "ubatch_size": 7}
    whole = read(family, monkeypatch, tap, **size)
    for k in range(len(whole[0].states) - 1):
        for short, full in zip(read(family, monkeypatch, tap, max_state=k, **size), whole, strict=True):
            np.testing.assert_array_equal(short.states, full.states[: k + 1])


def test_one_context_changes_its_mind_between_decodes(patched, tiny_model, monkeypatch):
    """A graph that was built for other wishes, or for none, must not be used again."""
    monkeypatch.setenv("LAGER_LITE_TAP", "native")
    with (
        Backbone(tiny_model, BackendOptions(threads=1)) as backbone,
        backbone.context(8) as context,
        backbone.context(8, tap=False) as plain,
    ):
        prompt = np.array([5, 6, 7], dtype=np.int32)
        (whole,) = context.evaluate([prompt], want_final=True)
        for k in (1, 3, 0, None, 2, 2, None):
            (group,) = context.evaluate([prompt], max_state=k, want_final=k is None)
            np.testing.assert_array_equal(group.states, whole.states[:, : group.states.shape[1]])
            for each in (context, plain):
                each.run_plain(prompt)
            np.testing.assert_array_equal(context._logits(np.array([2])), plain._logits(np.array([2])))
            if group.logits is not None:
                np.testing.assert_array_equal(group.logits, whole.logits)
            if k is None:
                np.testing.assert_array_equal(group.final, whole.final)


@pytest.mark.parametrize("flags", [(0, 1, 0, 1, 1, 0), (1, 1, 1, 1, 1, 1), (0, 0, 0, 0, 1, 0)], ids=str)
@pytest.mark.parametrize("k", [3, 1])
def test_rows_come_in_the_order_of_the_batch(patched, tmp_path, monkeypatch, flags, k):
    """Recurrent models cut a batch by sequences, so llama.cpp evaluates these tokens in another order."""
    monkeypatch.setenv("LAGER_LITE_TAP", "native")
    path = write_tiny_model(tmp_path / "m.gguf", "mamba")
    sequences, positions = (1, 0, 1, 0, 2, 1), (0, 0, 1, 1, 0, 2)
    tokens = np.array([9, 8, 7, 6, 5, 4], dtype=np.int32)
    with Backbone(path, BackendOptions(batch_size=8, ubatch_size=2, threads=1)) as backbone:
        single = {
            s: backbone.read_states(
                [[t for t, o in zip(tokens, sequences) if o == s][: p + 1] for p in range(sequences.count(s))]
            )
            for s in set(sequences)
        }
        backbone.can_share = True
        with backbone.context(8) as context:
            step = Step(tokens, np.array(positions, np.int32), tuple((s,) for s in sequences), (), (), (0, 0))
            rows = np.flatnonzero(flags)
            context.tap.begin(rows, max_state=k, want_final=k == 3, flagged=True)
            context._run(step, np.array(flags, np.int8))
            states, _ = context.tap.finish()
    for row, found in zip(rows, states, strict=True):
        expected = single[sequences[row]][positions[row]].states[: k + 1]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)  # other batches, other sums


def test_a_state_that_the_graph_does_not_name_is_an_error(patched, tiny_model, monkeypatch):
    monkeypatch.setenv("LAGER_LITE_TAP", "native")
    with Backbone(tiny_model, BackendOptions(threads=1)) as backbone, backbone.context(8) as context:
        tap = context.tap
        tap.begin(np.array([2]), max_state=3, want_final=False, flagged=True)
        with pytest.raises(BackendError, match="the native tap read -1 rows, expected 1"):
            tap.finish()  # no decode
        tap.begin(np.array([1]), max_state=3, want_final=False, flagged=True)
        tap._out = tap._out[:, :0]
        context.run_plain(np.array([1, 2, 3], np.int32))
        with pytest.raises(BackendError, match="the native tap read 1 rows, expected 0"):
            tap.finish()


def test_a_buffer_that_is_too_small_is_not_written(patched, tiny_model, monkeypatch):
    monkeypatch.setenv("LAGER_LITE_TAP", "native")
    with Backbone(tiny_model, BackendOptions(threads=1)) as backbone, backbone.context(8) as context:
        tap = context.tap
        tap.begin(np.array([1]), max_state=1, want_final=False, flagged=True)
        out, states = np.full(2 * 64 + 1, 7, np.float32), np.array([0, 1], np.int32)
        size = 2 * 64 - 1
        assert tap._begin(context._ctx, states.ctypes.data, 2, False, True, out.ctypes.data, size) == 0
        context.run_plain(np.array([1, 2, 3], np.int32))
        assert tap._end(context._ctx) == -2
        assert (out == 7).all()
        assert tap._end(context._ctx) == -1


def test_a_decode_that_ends_before_all_rows_are_written_gives_none(patched, tiny_model, monkeypatch):
    """A computation that is aborted in its last micro-batch left unwritten memory behind, which was taken for rows."""
    monkeypatch.setenv("LAGER_LITE_TAP", "native")
    step = Step(np.arange(3, 9, dtype=np.int32), np.arange(6, dtype=np.int32), ((0,),) * 6, (), (), (0, 6))
    flags = np.array([1, 0, 0, 0, 0, 1], np.int8)
    options = BackendOptions(threads=1, ubatch_size=2, batch_size=6)
    with Backbone(tiny_model, options) as backbone, backbone.context(8) as context:
        asked, limit = [0], [10**9]

        def abort(_):
            asked[0] += 1
            return asked[0] > limit[0]

        callback = backbone.api.ggml_abort_callback(abort)
        backbone.api.llama_set_abort_callback(context._ctx, callback, None)
        for share, rows in ((None, 2), (0.9, -4)):
            context._api.llama_memory_clear(context._memory, False)
            if share:
                limit[0], asked[0] = int(share * asked[0]), 0
            context.tap.begin(np.array([0, 5]), max_state=3, want_final=False, flagged=True)
            batch, alive = context._batch(step, flags)
            assert context._api.llama_decode(context._ctx, batch) == (2 if share else 0)
            assert len(alive) and context.tap._end(context._ctx) == rows


@pytest.mark.parametrize("states", [[1, 1], [2, 1], [-1], [4], []], ids=str)
def test_states_out_of_order_or_range_are_refused(patched, tiny_model, monkeypatch, states):
    monkeypatch.setenv("LAGER_LITE_TAP", "native")
    with Backbone(tiny_model, BackendOptions(threads=1)) as backbone, backbone.context(8) as context:
        array, out = np.array(states, np.int32), np.empty(999, np.float32)
        args = (context._ctx, array.ctypes.data_as(ctypes.c_void_p), len(states))
        assert context.tap._begin(*args, False, False, out.ctypes.data, out.size) == -1


def test_chosen_states_fill_the_slots_in_their_order(patched, tiny_model, monkeypatch):
    monkeypatch.setenv("LAGER_LITE_TAP", "native")
    prompt = np.array([9, 8, 7], np.int32)
    with Backbone(tiny_model, BackendOptions(threads=1)) as backbone, backbone.context(8) as context:
        (whole,) = context.evaluate([prompt], want_final=True)
        states, out = np.array([0, 2], np.int32), np.empty((3, 2, 64), np.float32)
        assert context.tap._begin(context._ctx, states.ctypes.data, 2, True, False, out.ctypes.data, out.size) == 0
        context._api.llama_memory_clear(context._memory, True)
        step = Step(prompt, np.arange(3, dtype=np.int32), ((0,),) * 3, (), (), (0, 0))
        context._run(step, np.array([0, 1, 1], np.int8))  # two rows, as `evaluate` reads them
        assert context.tap._end(context._ctx) == 2
    np.testing.assert_array_equal(out[:2, 1], whole.states[0, [0, 2]])
    np.testing.assert_array_equal(out[2, 1:], whole.final)


@pytest.mark.model
@pytest.mark.parametrize("k", [None, 29, 20, 10, 1, 0])
def test_both_taps_read_the_same_bits_of_the_default_model(patched, monkeypatch, k):
    try:
        path = locate_model(None).path
    except LagerError as error:
        pytest.skip(f"the default model is not installed: {error.hint}")
    tokens = prompts(40_000, lengths=(90, 200, 13), shared=80)
    size = {"max_state": k, "tokens": tokens, "batch_size": 128, "ubatch_size": 64, "threads": 2}
    assert_same(read(path, monkeypatch, "native", **size), read(path, monkeypatch, "callback", **size))


def test_a_stock_library_gets_the_callback_tap(monkeypatch):
    monkeypatch.delenv("LAGER_LITE_TAP", raising=False)
    assert native.choose_tap(stock()) == native.TapChoice("callback", "a stock library has no other")


def test_a_known_version_gets_the_native_tap_unless_the_callback_is_forced(monkeypatch):
    monkeypatch.delenv("LAGER_LITE_TAP", raising=False)
    assert native.choose_tap(stock(1)) == native.TapChoice("native", "the library carries version 1 of it")
    monkeypatch.setenv("LAGER_LITE_TAP", "callback")
    assert native.choose_tap(stock(1)) == native.TapChoice("callback", "LAGER_LITE_TAP=callback")


def test_an_unknown_version_is_a_notice_and_the_callback_tap(monkeypatch):
    monkeypatch.delenv("LAGER_LITE_TAP", raising=False)
    library = stock(2)
    library.api = SimpleNamespace(ggml_backend_sched_eval_callback=lambda function: function)
    library.base = None
    said = "the library's native tap has version 2, this lager-lite knows 1; the callback tap is used"
    with pytest.warns(RuntimeWarning, match=said):
        tap = native.make_tap(library, 3, 64)
    assert isinstance(tap, CallbackTap)
    monkeypatch.setenv("LAGER_LITE_TAP", "callback")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        native.make_tap(library, 3, 64)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (None, "LAGER_LITE_TAP=native, but the loaded library is a stock one (the folder)"),
        (7, "LAGER_LITE_TAP=native, but the library's native tap has version 7, this lager-lite knows 1 (the folder)"),
    ],
)
def test_asking_for_a_native_tap_that_is_not_there_is_an_error(monkeypatch, version, message):
    monkeypatch.setenv("LAGER_LITE_TAP", "native")
    with pytest.raises(BackendError) as caught:
        native.choose_tap(stock(version))
    assert caught.value.message == message
    assert caught.value.hint == "build it with `lager-lite backend build`"


def test_a_misspelt_tap_is_an_error(monkeypatch):
    monkeypatch.setenv("LAGER_LITE_TAP", "natif")
    with pytest.raises(BackendError, match="LAGER_LITE_TAP is 'natif'"):
        native.choose_tap(stock(1))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists what a process has loaded")
def test_no_library_is_loaded_twice_under_another_name():
    code = "from lager_lite.llama.library import load; load(); print(open('/proc/self/maps').read())"
    maps = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = {Path(line.split()[-1]).name for line in maps.splitlines() if "/libggml" in line}
    assert loaded
    stems = sorted(name.partition(".")[0] for name in loaded)
    assert stems == sorted(set(stems)), loaded
