"""Scales: short forms, and what is refused with which words."""

from __future__ import annotations

import pytest

from lager_lite.errors import PromptError
from lager_lite.prompts.render import scale_text
from lager_lite.prompts.scale import describe_scale, parse_scale, scale_for


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
        ("no=0, yes=1", ("no", "yes"), (0, 1)),
        ("3=100,1=0,2=50", ("1", "2", "3"), (0, 50, 100)),
        ("a=b,c", ("a=b", "c"), (1, 2)),
    ],
)
def test_short_forms_give_labels_in_ascending_order_of_value(spec, labels, values):
    scale = parse_scale(spec)
    assert (scale.labels, scale.values) == (labels, values)


@pytest.mark.parametrize(
    ("spec", "short"), [("1-5", "1-5"), ("0-10", "0-10"), ("A-C", "C<B<A"), (["x", "y"], "x<y"), ("1=0,2=9", "1=0<2=9")]
)
def test_describe_is_the_short_form(spec, short):
    assert describe_scale(parse_scale(spec)) == short


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("5-1", "cannot read the scale '5-1'"),
        ("good", "cannot read the scale 'good'"),
        ("1-500", "cannot read the scale '1-500'"),
        ("good,", "labels of a scale must be distinct and not empty, got ['good', '']"),
        ("a=1,a=2", "labels of a scale must be distinct, got ['a', 'a']"),
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


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [
        (2, 7, "1-7"),
        (0, 9, "0-9"),
        (0.5, 3.2, "0-4"),
        (1, 10, "1=1,2=3.25,3=5.5,4=7.75,5=10"),
        (2, 107, "1=0,2=26.75,3=53.5,4=80.25,5=107"),
        (-3, 3, "1=-3,2=-1.5,3=0,4=1.5,5=3"),
        (60, 99, "1=60,2=69.75,3=79.5,4=89.25,5=99"),
    ],
)
def test_the_scale_that_is_advised_holds_the_scores(low, high, scale):
    assert scale_for(low, high) == scale
    values = parse_scale(scale).values
    assert values[0] <= low and high <= values[-1]


def test_fractions_between_two_whole_numbers_get_five_labels():
    assert scale_for(0, 1, whole=False) == "1=0,2=0.25,3=0.5,4=0.75,5=1" and scale_for(0, 1) == "0-1"
    assert scale_for(1, 5, whole=False) == "1-5"
