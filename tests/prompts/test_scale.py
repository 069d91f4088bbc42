"""Scales: short forms, and what is refused with which words."""

from __future__ import annotations

import pytest

from lager_lite.errors import PromptError
from lager_lite.prompts.render import scale_text
from lager_lite.prompts.scale import describe_scale, parse_scale


@pytest.mark.parametrize(
    ("spec", "labels", "values"),
    [
        ("1-5", ("1", "2", "3", "4", "5"), (1, 2, 3, 4, 5)),
        ("0-4", ("0", "1", "2", "3", "4"), (0, 1, 2, 3, 4)),
        (" 9 - 11 ", ("9", "10", "11"), (9, 10, 11)),
        ("A-C", ("C", "B", "A"), (1, 2, 3)),
        ("poor, fair,very-good", ("poor", "fair", "very-good"), (1, 2, 3)),
        (["poor", "fair", "good"], ("poor", "fair", "good"), (1, 2, 3)),
        ({"yes": 1, "no": 0}, ("no", "yes"), (0, 1)),
    ],
)
def test_short_forms_give_labels_in_ascending_order_of_value(spec, labels, values):
    scale = parse_scale(spec)
    assert (scale.labels, scale.values) == (labels, values)


@pytest.mark.parametrize(("spec", "short"), [("1-5", "1-5"), ("0-10", "0-10"), ("A-C", "C<B<A"), (["x", "y"], "x<y")])
def test_describe_is_the_short_form(spec, short):
    assert describe_scale(parse_scale(spec)) == short


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("5-1", "cannot read the scale '5-1'"),
        ("good", "cannot read the scale 'good'"),
        ("1-500", "cannot read the scale '1-500'"),
        ("good,", "labels of a scale must be distinct and not empty, got ['good', '']"),
        (["only"], "a scale needs at least two labels, got 1"),
        (["a", "a"], "labels of a scale must be distinct and not empty, got ['a', 'a']"),
        (["a", ""], "labels of a scale must be distinct and not empty, got ['a', '']"),
        ({"a": 1, "b": 1}, "two labels of the scale ['a', 'b'] have the same value"),
        ({"a": 1, "b": "x"}, "the value of label 'b' is 'x', not a number"),
        ({"a": 1, "b": float("nan")}, "the value of label 'b' is nan, not a finite number"),
    ],
)
def test_a_scale_that_cannot_be_is_named(spec, message):
    with pytest.raises(PromptError) as caught:
        parse_scale(spec)
    assert caught.value.message == message


def test_the_model_is_told_the_ends_of_a_number_scale_and_every_word_of_a_word_scale():
    assert scale_text(parse_scale("0-10")) == "A whole number from 0 (worst) to 10 (best)."
    assert scale_text(parse_scale(["bad", "good"])) == "One of these, worst to best: bad, good."
    assert scale_text(parse_scale("A-C")) == "One of these, worst to best: C, B, A."
