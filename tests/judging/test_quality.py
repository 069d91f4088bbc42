"""What is odd about a run as a whole."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lager_lite import BackendOptions, Item, Judge, JudgeWarning
from lager_lite.errors import LagerError
from lager_lite.judging import TRIAL_RUBRIC, try_out
from lager_lite.judging.quality import Quality, doubts
from lager_lite.prompts import ChatTemplate, make_rubric, resolve_chat
from lager_lite.records import Judgment

GOOD, SHORT = make_rubric("good", "Good?", scale="1-5"), make_rubric("short", "Short?", scale="0-100")


def judgments(scores, rubric="good", flags=()):
    return [Judgment(str(n), rubric, float(score), flags=tuple(flags)) for n, score in enumerate(scores)]


def told(found) -> tuple[str, ...]:
    quality = Quality([GOOD, SHORT])
    for judgment in found:
        quality.add(judgment)
    return quality.warnings()


def test_a_run_that_tells_responses_apart_says_nothing():
    assert told([]) == told(judgments(np.linspace(1, 5, 20))) == ()
    assert told([Judgment("a", "good", None, error="too long")]) == ()


def test_scores_that_hardly_differ_are_named_by_rubric():
    """0.04 points are a hundredth of the scale 1-5, and nothing on the scale 0-100."""
    near = 3 + 0.039 * np.tile([-1, 1], 5)
    (found,) = told([*judgments(near), *judgments(near * 50, "short")])
    assert found.startswith(
        "the 10 scores of the rubric good are nearly constant (mean 3.00, standard deviation 0.039)"
    )
    assert told(judgments(near[:9])) == (), "nine scores may be alike by chance"
    assert told(judgments(3 + 0.041 * np.tile([-1, 1], 5))) == ()
    (constant,) = told(judgments(np.full(1000, 0.1) + 4))
    assert "(mean 4.10, standard deviation 0.000)" in constant


@pytest.mark.parametrize(("saturated", "warned"), [(9, False), (10, True)])
def test_half_of_the_judgments_saturated_is_a_warning(saturated, warned):
    scores = np.linspace(1, 5, 20)
    found = told([*judgments(scores[:saturated], flags=["saturated"]), *judgments(scores[saturated:])])
    assert found == () or found[0].startswith(
        "in 10 of 20 judgments one label holds more than 99.9% of the probability"
    )
    assert bool(found) == warned


def test_low_mass_and_empty_responses_are_counted():
    found = told([*judgments([1, 3], flags=["low mass"]), *judgments([2, 5], flags=["empty response"])])
    assert [text.split(";")[0] for text in found] == [
        "in 2 of 4 judgments the labels hold less than 50% of the probability",
        "2 of 4 judgments are of a response without a visible character",
    ]


def test_what_makes_every_score_doubtful_is_known_before_the_run():
    template = ChatTemplate("{{ messages }}")
    assert doubts(template, 10**9) == doubts(resolve_chat(None, text="none"), 7 * 10**9) == ()
    assert doubts(resolve_chat(None), 7 * 10**9)[0].startswith("the model has no chat template")
    (small,) = doubts(template, 134_515_008, "faith")
    assert small.startswith(
        "without fitted weights the scores of a model of 135 million parameters are near chance: give the weights faith, which ship, fit"
    )


def test_a_judge_says_once_that_its_scores_mean_little(tiny_model):
    with Judge(tiny_model, rubric=GOOD, options=BackendOptions(threads=1)) as judge:
        with pytest.warns(JudgeWarning) as caught:
            assert all(j.score for j in judge.score([Item("a", {"response": "A"}), Item("b", {"response": "B"})]))
        texts = [str(warning.message) for warning in caught]
        assert ["near chance" in text for text in texts] == [True, False]
        assert texts[1].startswith("in 2 of 2 judgments the labels hold less than 50%")
        with pytest.warns(JudgeWarning, match="labels hold") as caught:
            list(judge.score([{"response": "A"}]))
        assert len(caught) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            list(judge.judged([{"response": "A"}], quiet=True))


@pytest.mark.model
def test_the_default_model_fails_its_trial_and_is_said_to():
    try:
        judge = Judge(rubric=TRIAL_RUBRIC)
    except LagerError as error:
        pytest.skip(f"the default model is not installed: {error.hint}")
    with judge:
        found = try_out(judge)
    assert found.questions == 5 and found.better <= 4 and "near chance" in found.warnings[0]
    assert 1 < found.low < found.high < 5 and found.text.endswith("; the labels hold at least 72% of the probability")
