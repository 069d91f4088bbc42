"""What is odd about a run as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.judging.quality import Quality
from lager_lite.prompts import make_rubric
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
