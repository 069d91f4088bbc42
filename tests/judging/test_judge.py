from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import COMMAND, PromptError, UnsupportedModelError, WeightsError, through
from lager_lite.judging.judge import Judge
from lager_lite.judging.store import Store
from lager_lite.judging.tokens import score_tokens, tokenize_prompt
from lager_lite.llama.backbone import Backbone
from lager_lite.llama.options import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.prompts.scale import parse_scale
from lager_lite.records import Item, LayerWeights
from lager_lite.scoring import aggregate
from lager_lite.scoring.weights import WeightsFile

EXACT = BackendOptions.exact()
SHORT = make_rubric("short", "Is it good?", template="{sections}\n{criterion}")
OTHER = make_rubric("other", "Is it bad?", template="{sections}\n{criterion}", scale="0-4")


def items(n=5, long=""):
    return [
        Item(str(i), {"instruction": "Say it.", "response": f"{long}answer {i}"}, where=f"x:{i + 1}") for i in range(n)
    ]


def test_a_score_is_what_the_states_say(tiny_model):
    """The whole path against its parts, put together by hand."""
    (item,) = items(1)
    with Judge(tiny_model, rubric=SHORT, options=EXACT) as judge:
        (got,) = judge.score([item])
        labels = judge.labels["short"]
        prompt = tokenize_prompt(judge.backbone, judge.rendered(item, SHORT), labels.lead)
        (states,) = judge.backbone.read_states([prompt.tokens])
        head = judge.file.head(list(labels.ids))
    logits = states.states.astype(np.float64) @ head.rows.T.astype(np.float64)
    logits[-1] = states.final.astype(np.float64) @ head.rows.T.astype(np.float64)
    values = np.arange(1.0, 6.0)
    expected = aggregate.expected(aggregate.softmax(logits.mean(axis=0)), values)
    # Float32 products of 64 entries.
    assert got.uniform == pytest.approx(float(expected), abs=1e-4)
    assert got.score == got.e_score
    assert got.e_score == pytest.approx(float(aggregate.expected(aggregate.softmax(logits[-1]), values)), abs=1e-4)
    everything = np.exp(states.logits.astype(np.float64))
    assert got.mass == pytest.approx(everything[list(labels.ids)].sum() / everything.sum(), abs=1e-5)
    assert got.tokens == len(prompt.tokens)
    assert sum(got.probabilities.values()) == pytest.approx(1)
    assert len(got.per_layer) == judge.n_states


def test_thoughts_are_left_out_of_what_is_judged_unless_they_are_kept(tiny_model):
    given = [
        Item("answer", {"response": "Oak."}),
        {"id": "both", "response": "<think>An oak?</think>Oak."},
        Item("thoughts", {"response": "<think>An oak?"}),
        Item("empty", {"response": ""}),
    ]
    with Judge(tiny_model, rubric=SHORT) as judge:
        answer, both, thoughts, empty = judge.score(given)
        assert "An oak?" not in judge.rendered(given[2], SHORT).text and judge.counts.thoughts == 2
    assert both.score == answer.score and thoughts.score == empty.score
    # On so small a model every judgment has a flag of its own, too.
    flags = [[flag for flag in one.flags if flag not in answer.flags] for one in (both, thoughts, empty)]
    assert flags == [["thoughts left out"], ["thoughts left out", "empty response"], ["empty response"]]
    with Judge(tiny_model, rubric=SHORT, keep_thoughts=True) as judge:
        kept = list(judge.score(given))
        assert "An oak?" in judge.rendered(given[2], SHORT).text and judge.counts.thoughts == 0
    assert kept[1].score != answer.score and kept[1].flags == kept[2].flags == answer.flags


def test_what_was_cut_to_fit_is_flagged_and_counted(tiny_model):
    both = [*items(1), Item("long", {"instruction": "Say it.", "response": "word " * 300})]
    with Judge(tiny_model, rubric=SHORT, options=BackendOptions(ctx_size=128), overflow="truncate-middle") as judge:
        short, long = judge.score(both)
    assert long.flags == ("cut to fit", *short.flags) and long.tokens == 128
    assert judge.counts.cut == 1


def test_several_rubrics_give_several_scores_in_the_items_order(tiny_model):
    with Judge(tiny_model, rubric=[SHORT, OTHER], options=EXACT) as judge:
        got = [(j.id, j.rubric, sorted(j.probabilities)) for j in judge.score(items(2))]
    assert got == [
        ("0", "short", list("12345")),
        ("0", "other", list("01234")),
        ("1", "short", list("12345")),
        ("1", "other", list("01234")),
    ]


def test_order_and_company_do_not_change_a_score(tiny_model):
    some = items(7, long="a long beginning that all of them share, ")
    with Judge(tiny_model, rubric=SHORT, options=EXACT) as judge:
        together = {j.id: j.score for j in judge.score(some)}
        reverse = {j.id: j.score for j in judge.score(some[::-1])}
        alone = {i.id: next(judge.score([i])).score for i in some}
    # The bound that --exact promises.
    assert reverse == pytest.approx(together, abs=1e-4)
    assert alone == pytest.approx(together, abs=1e-4)


def test_what_the_store_holds_is_not_evaluated_again(tiny_model, tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        with Judge(tiny_model, rubric=SHORT, options=EXACT, store=store) as judge:
            first = list(judge.score(items(4)))
            assert judge.counts.stored == 0
        with Judge(tiny_model, rubric=SHORT, options=EXACT, store=store) as judge:
            again = list(judge.score(items(5)))
            assert (judge.counts.stored, judge.counts.done) == (4, 5)
            assert judge.counts.evaluated_tokens < judge.counts.prompt_tokens / 2
        assert again[:4] == first
        with Judge(tiny_model, rubric=SHORT, options=BackendOptions(), store=store) as judge:
            list(judge.score(items(4)))
            assert judge.counts.stored == 0, "flash attention changes the numbers"


def test_equal_prompts_are_read_once(tiny_model):
    twice = [Item(str(i), {"instruction": "Say it.", "response": "same"}) for i in range(3)]
    with Judge(tiny_model, rubric=SHORT, options=EXACT) as judge:
        a, b, c = judge.score(twice)
        assert judge.counts.evaluated_tokens == a.tokens
        assert (judge.counts.done, judge.counts.stored) == (3, 0), "nothing comes from a store where there is none"
    assert a.score == b.score == c.score


def test_an_item_without_response_fails_alone(tiny_model):
    bad = Item("bad", {"instruction": "Say it."}, where="x:9")
    with Judge(tiny_model, rubric=SHORT, options=EXACT) as judge:
        good, failed = judge.score([items(1)[0], bad])
    assert good.error is None
    assert failed.score is None
    assert "response" in failed.error


def test_a_prompt_longer_than_the_context_is_reported_or_cut(tiny_model):
    long = Item("long", {"instruction": "Say it.", "response": "word " * 300}, where="x:1")
    options = BackendOptions.exact(ctx_size=200)
    with Judge(tiny_model, rubric=SHORT, options=options) as judge:
        (failed,) = judge.score([long])
        assert "tokens, the context holds 200" in failed.error
    with Judge(tiny_model, rubric=SHORT, options=options, overflow="skip") as judge:
        (skipped,) = judge.score([long])
        assert skipped.error.startswith("skipped: the prompt has")
    with Judge(tiny_model, rubric=SHORT, options=options, overflow="truncate-middle") as judge:
        (cut,) = judge.score([long])
        assert cut.tokens == 200
        task = judge.encode(long, SHORT)
        whole = judge.encode(long, SHORT).prompt.untrusted
        assert not whole[0] and not whole[-1], "only the item's own text is cut"
        assert task.prompt.tokens[-len(judge.labels["short"].lead) :].tolist() == list(judge.labels["short"].lead)


def test_weights_decide_the_score_and_where_the_graph_ends(tiny_model):
    with Judge(tiny_model, rubric=SHORT, options=EXACT) as judge:
        (plain,) = judge.score(items(1))
        provenance = judge.provenance()
    one_hot = LayerWeights("signed", "norm", np.array([0.0, 1.0, 0.0][: judge.n_states]))
    with Judge(tiny_model, rubric=SHORT, options=EXACT, weights=WeightsFile(one_hot, provenance)) as judge:
        (tuned,) = judge.score(items(1))
    assert tuned.score == pytest.approx(tuned.per_layer[1])
    short = LayerWeights("signed", "norm", np.array([0.0, 1.0]))
    with Judge(tiny_model, rubric=SHORT, options=EXACT, weights=WeightsFile(short, provenance), max_state=1) as judge:
        (early,) = judge.score(items(1))
    assert early.score == pytest.approx(tuned.score, abs=1e-6)
    assert (early.mass, early.e_score, early.direct) == (None, None, None)
    assert plain.mass is not None


def test_weights_of_another_rubric_are_refused(tiny_model):
    with Judge(tiny_model, rubric=SHORT, options=EXACT) as judge:
        file = WeightsFile(LayerWeights("uniform", "raw", np.full(judge.n_states, 1.0)), judge.provenance())
    with pytest.raises(WeightsError, match="fitted for the labels"):
        Judge(tiny_model, rubric=OTHER, options=EXACT, weights=file)
    changed = make_rubric("short", "Is it good enough?", template="{sections}\n{criterion}")
    with pytest.raises(WeightsError, match="the rubric 'short' has changed"):
        Judge(tiny_model, rubric=changed, options=EXACT, weights=file)


def test_a_head_that_is_not_understood_is_refused(tiny_model, monkeypatch):
    import lager_lite.judging.headcheck as module

    real = module.layer_logits
    monkeypatch.setattr(module, "layer_logits", lambda *a: tuple(2 * x for x in real(*a)))
    with pytest.raises(UnsupportedModelError, match="our logits of 266 tokens differ from llama.cpp's"):
        Judge(tiny_model, rubric=SHORT, options=EXACT)


def test_a_label_of_several_tokens_is_known_by_its_first_one_where_that_is_its_own(tiny_model):
    with Backbone(tiny_model, EXACT) as backbone:
        assert len(score_tokens(backbone, "Score: ", parse_scale("0-9")).ids) == 10
        with pytest.raises(PromptError) as caught:
            score_tokens(backbone, "Score: ", parse_scale("1-10"))
        with pytest.raises(PromptError) as all_of_them:
            score_tokens(backbone, "Score: ", parse_scale("1-100"))
        graded = score_tokens(backbone, "Score: ", parse_scale(["FAIL", "PASS"]))
        written = [backbone.tokenize(f"Score: {label}", parse_special=False) for label in ("FAIL", "PASS")]
        assert all(len(w) > len(graded.lead) + 1 for w in written), "a label of one token shows nothing"
        assert graded.ids == tuple(w[len(graded.lead)] for w in written)
        for other in ("A-J", "0-9", "1-5", "1=0,2=25,3=50,4=75,5=100"):
            score_tokens(backbone, "Score: ", parse_scale(other))  # what the hints name works
    said = "cannot be used: behind 'Score: ' these labels begin with the same token of the model "
    said += f"{tiny_model.name}: "
    assert caught.value.message == f"the scale 1-10 {said}'1', '10'"
    assert all_of_them.value.message == f"the scale 1-100 {said}'1', '2', '3', '4', '5' and 95 more"
    with through(COMMAND):
        works, same = "--scale 0-9 or --scale 1-5: scores are continuous on every scale", "1=0,2=25,3=50,4=75,5=100"
        assert caught.value.hint == f"--scale A-J (A is worth 10) or {works}"
        assert all_of_them.value.hint == f"{works}; --scale {same} keeps the range of this one"
    assert (
        all_of_them.value.hint
        == f"use the {works.replace('--scale', 'scale', 1).replace('--scale ', '')}; {same} keeps the range of this one"
    )


def test_overflow_must_be_known(tiny_model):
    with pytest.raises(PromptError, match="overflow is 'cut', expected one of error, skip, truncate-middle"):
        Judge(tiny_model, overflow="cut")
