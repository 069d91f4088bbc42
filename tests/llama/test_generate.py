"""Texts written together are the texts written alone, whatever the company, the order and the room."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lager_lite.errors import BackendError
from lager_lite.llama.backbone import Backbone
from lager_lite.llama.generate import Generator, Request
from lager_lite.llama.options import BackendOptions
from lager_lite.llama.sampling import Sampling, draw_token
from lager_lite.performance.bench import Different, _different

EXACT = BackendOptions.exact(threads=1)
STEADY = BackendOptions(threads=1)
MOST = 12


def prompts(backbone, count=9):
    """Some share a beginning, one is the beginning of another, lengths differ."""
    texts = [f"A beginning that most of them share, then item {n}." + " more words" * (n % 4) for n in range(count - 2)]
    texts += ["A beginning that most of them share", "Nothing in common with the others"]
    return [np.array(backbone.tokenize(t, parse_special=False, start=True), np.int32) for t in texts]


def written(backbone, some, sampling=Sampling(), seeds=None, cells=None, **more):
    requests = [Request(p, seed=seeds[i] if seeds else ()) for i, p in enumerate(some)]
    with Generator(backbone, some, most=MOST, **more) as generator:
        if cells:
            generator.cells = cells
        found = {w.request: w for w in generator.write(requests, sampling=sampling)}
        assert sorted(found) == list(range(len(some)))
        return [found[i].tokens for i in range(len(some))], generator.evaluated


def by_hand(backbone, prompt, barred):
    """Greedy decoding with nothing but single runs of tokens."""
    vocab = backbone.api.llama_model_get_vocab(backbone.handle)
    text, tokens = [], prompt
    with backbone.context(len(prompt) + MOST, tap=False) as context:
        while len(text) < MOST:
            context.run_plain(tokens, 0 if not text else len(prompt) + len(text) - 1)
            (logits,) = context._logits(np.array([len(tokens) - 1]))
            logits[barred] = -np.inf
            token = int(np.argmax(logits))
            if backbone.api.llama_vocab_is_eog(vocab, token):
                break
            text.append(token)
            tokens = np.array([token], np.int32)
    return tuple(text)


def controls(backbone):
    vocab = backbone.api.llama_model_get_vocab(backbone.handle)
    return [
        t for t in range(backbone.n_vocab) if backbone.is_control(t) and not backbone.api.llama_vocab_is_eog(vocab, t)
    ]


@pytest.mark.parametrize("options", [EXACT, STEADY], ids=["exact", "default"])
def test_texts_are_what_greedy_decoding_by_hand_gives(tiny_model, options):
    with Backbone(tiny_model, options) as backbone:
        some = prompts(backbone)
        got, evaluated = written(backbone, some)
        assert got == [by_hand(backbone, p, controls(backbone)) for p in some]
        assert any(len(text) == MOST for text in got)
        assert evaluated < sum(map(len, some)) / 2, "what prompts share is evaluated once"


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(0.8), Sampling(1.2, 0.9)], ids=["greedy", "sampled", "nucleus"]
)
def test_a_text_depends_neither_on_its_company_nor_on_the_order(tiny_model, sampling):
    with Backbone(tiny_model, STEADY) as backbone:
        some = prompts(backbone)
        seeds = [(n,) for n in range(len(some))]
        together, _ = written(backbone, some, sampling, seeds)
        reverse, _ = written(backbone, some[::-1], sampling, seeds[::-1])
        alone = [written(backbone, [p], sampling, [s])[0][0] for p, s in zip(some, seeds)]
        assert reverse[::-1] == together
        assert alone == together


def test_a_memory_that_runs_out_again_and_again_changes_no_text(tiny_model, monkeypatch):
    """The trunk of such a tree is not always in the lowest cells, and is then evaluated again."""
    restarts, whole = [], Generator._restart

    def restart(self):
        restarts.append(len(self._trunk) - self._solid)
        whole(self)

    monkeypatch.setattr(Generator, "_restart", restart)
    with Backbone(tiny_model, BackendOptions(threads=1, batch_size=32)) as backbone:
        some = [
            np.concatenate([a, b, c])
            for a in prompts(backbone, 3)
            for b in prompts(backbone, 4)
            for c in prompts(backbone, 3)
        ]
        some = [p.astype(np.int32) for p in some]
        free, least = written(backbone, some)
        assert not any(restarts)
        tight, evaluated = written(backbone, some, cells=max(map(len, some)) + 32 + 2 * MOST)
        assert tight == free
        assert len(restarts) > 5 and any(restarts)
        assert evaluated == least + sum(restarts)


def test_texts_that_take_over_free_sequences_have_the_same_bits_as_alone(tiny_model, monkeypatch):
    """Texts end at different times here; cells given back would be taken by others, out of order."""
    logits, take = {}, Generator._take

    def record(self, text, row):
        logits.setdefault(text.request, []).append(row.copy())
        return take(self, text, row)

    monkeypatch.setattr(Generator, "_take", record)
    with Backbone(tiny_model, STEADY) as backbone:
        some = prompts(backbone, 12)

        def run(chosen, width):
            logits.clear()
            with Generator(backbone, [some[n] for n in chosen], most=MOST, width=width) as generator:
                stop = lambda n, tokens: len(tokens) == 2 + chosen[n] * 5 % 9  # noqa: E731
                assert len(list(generator.write([Request(some[n]) for n in chosen], stop=stop))) == len(chosen)
            return {chosen[n]: np.array(rows) for n, rows in logits.items()}

        alone = {n: run([n], 3)[n] for n in range(len(some))}
        for together in (run(range(len(some)), 3), run(range(len(some)), 32)):
            for n, rows in alone.items():
                np.testing.assert_array_equal(together[n], rows)


def test_one_prompt_gets_a_text_for_every_seed_and_the_same_one_twice(tiny_model):
    with Backbone(tiny_model, STEADY) as backbone:
        (one, *_) = prompts(backbone)
        many = [one] * 5
        first, evaluated = written(backbone, many, Sampling(1.0), [(n,) for n in range(5)], copies=5)
        again, _ = written(backbone, many, Sampling(1.0), [(n,) for n in range(5)], copies=5)
        assert first == again
        assert len(set(first)) > 1
        assert evaluated == len(one)
        with pytest.raises(ValueError, match="a prompt occurs more than 1 times"):
            written(backbone, many)


@pytest.mark.parametrize("family", ["mamba"])
def test_a_model_without_a_memory_that_can_be_shared_writes_one_text_at_a_time(tmp_path, family):
    from tests.model_files.tiny import write_tiny_model

    with Backbone(write_tiny_model(tmp_path / "m.gguf", family), EXACT) as backbone:
        assert not backbone.can_share
        some = prompts(backbone, 4)
        assert written(backbone, some)[0] == [by_hand(backbone, p, controls(backbone)) for p in some]


def test_control_tokens_are_never_drawn_and_stop_ends_a_text(tiny_model):
    with Backbone(tiny_model, STEADY) as backbone:
        some = prompts(backbone)
        hot, _ = written(backbone, some, Sampling(50.0), [(n,) for n in range(len(some))])
        assert not any(backbone.is_control(t) for text in hot for t in text)
        with Generator(backbone, some, most=MOST) as generator:
            stopped = {
                w.request: w
                for w in generator.write([Request(p) for p in some], stop=lambda n, tokens: n == 1 and len(tokens) == 2)
            }
        assert (len(stopped[1].tokens), stopped[1].drawn) == (2, 2)
        assert len(stopped[0].tokens) > 2


def test_a_prompt_that_the_memory_cannot_hold_is_a_clear_error(tiny_model):
    with Backbone(tiny_model, STEADY) as backbone:
        some = prompts(backbone)
        with pytest.raises(BackendError, match="the KV cache of 30 cells is too small"):
            written(backbone, some, cells=30)


def test_the_likeliest_token_is_drawn_at_temperature_0_of_equal_ones_the_first():
    rng = np.random.default_rng(0)
    assert draw_token(np.array([1, 3, 3, -np.inf], np.float32), Sampling(), rng) == 1
    assert draw_token(np.array([-np.inf, -5, -np.inf, -9], np.float32), Sampling(), rng) == 1


def test_tokens_are_drawn_as_often_as_their_probability_says():
    """Probabilities 0.5, 0.3, 0.2 at temperature 1; squared and normalised at 0.5: 25, 9 and 4 of 38."""
    logits = np.log(np.array([0.5, 0.3, 0.2], np.float32))
    rng = np.random.default_rng(1)
    n = 20_000

    def shares(sampling):
        return np.bincount([draw_token(logits, sampling, rng) for _ in range(n)], minlength=3) / n

    # Three standard errors of 20,000 draws are 0.011.
    np.testing.assert_allclose(shares(Sampling(1.0)), [0.5, 0.3, 0.2], atol=0.011)
    np.testing.assert_allclose(shares(Sampling(0.5)), np.array([25, 9, 4]) / 38, atol=0.011)
    # The smallest set with 0.7 of the probability: the first two.
    np.testing.assert_allclose(shares(Sampling(1.0, 0.7)), [0.625, 0.375, 0], atol=0.011)


def test_bench_writes_the_same_texts_together_and_one_at_a_time(invoke, tiny_model, tmp_path):
    (tmp_path / "good.toml").write_text(
        'scale = "1-5"\ncriterion = "Is it good?"\ntemplate = "{sections} {criterion}"\n'
    )
    rows = [
        {"id": str(n), "source": "A source that all responses share. " * 9, "response": f"text {n}"} for n in range(7)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    arguments = [
        "bench",
        str(tmp_path / "in.jsonl"),
        "--generate",
        "6",
        "-m",
        str(tiny_model),
        "-r",
        str(tmp_path / "good.toml"),
        "--no-guard",
        "-t",
        "1",
        "--rounds",
        "2",
    ]
    found = json.loads(invoke(*arguments, "--json").stdout)
    assert (found["n"], found["rounds"], found["different"]) == (6, 2, [])
    together, alone = found["together"], found["alone"]
    assert together["drawn"] == alone["drawn"] > 6
    assert together["evaluated"] < alone["evaluated"]
    assert 0 < together["prompt_seconds"] < together["seconds"]
    shown = invoke(*arguments).stdout
    assert (
        "6 texts of up to 48 tokens at temperature 0, medians of 2 rounds" in shown and "the same text: 6 of 6" in shown
    )
    wrong = invoke(*arguments, "-n", "3")
    assert wrong.exit_code == 2 and "--generate K measures writing alone" in wrong.output


def test_where_two_texts_part_and_how_close_the_call_was_is_said(tiny_model):
    with Backbone(tiny_model, EXACT) as backbone:
        (prompt, *_) = prompts(backbone)
        (states,) = backbone.read_states([[*prompt.tolist(), 70]])
        first, second = np.sort(states.logits)[:-3:-1]
        assert _different(backbone, 3, prompt, (70, 71), (70, 72, 73)) == Different(
            3, 1, pytest.approx(float(first - second))
        )
        assert _different(backbone, 0, prompt, (70,), (70, 72)).tokens == 1
