"""Scales: the allowed scores and how each is written."""

from __future__ import annotations

import math
from typing import Any

from ..errors import PromptError
from ..records import Scale

LETTERS = "ABCDEFGHIJ"
"""The letters of a scale such as A-E."""


def parse_scale(spec: str | list[Any] | dict[str, Any]) -> Scale:
    """Read a scale from its short form.

    - "1-5" and "0-10" are ranges of whole numbers, written as digits.
    - "A-E" is a range of letters, A the best: it is worth 5 here.
    - A list such as ["poor", "fair", "good"] gives the labels, worst first; they are worth 1, 2, 3. So does the text
      "poor,fair,good".
    - A dict maps labels to values. So does the text "1=0,2=50,3=100".

    Raises PromptError for fewer than two labels, repeated labels, or values that are not finite
    and distinct.
    """
    if isinstance(spec, str) and "," in spec:
        spec = [label.strip() for label in spec.split(",")]
        worth = [label.partition("=") for label in spec]
        if all(is_number(value) for _, _, value in worth):
            if len({label for label, *_ in worth}) < len(worth):
                raise PromptError(f"labels of a scale must be distinct, got {[label for label, *_ in worth]}")
            spec = {label.strip(): value for label, _, value in worth}
    if isinstance(spec, str):
        pairs = _range(spec)
    elif isinstance(spec, dict):
        pairs = [(str(k), _number(v, k)) for k, v in spec.items()]
    else:
        pairs = [(str(label), float(i)) for i, label in enumerate(spec, 1)]
    pairs.sort(key=lambda p: p[1])
    labels = tuple(p[0] for p in pairs)
    values = tuple(p[1] for p in pairs)
    if len(labels) < 2:
        raise PromptError(f"a scale needs at least two labels, got {len(labels)}", 'for instance "1-5"')
    if len(set(labels)) < len(labels) or "" in labels:
        raise PromptError(f"labels of a scale must be distinct and not empty, got {list(labels)}")
    if len(set(values)) < len(values):
        raise PromptError(f"two labels of the scale {list(labels)} have the same value")
    return Scale(labels, values)


def describe_scale(scale: Scale) -> str:
    """The scale in a few characters, for instance "1-5", "poor<fair<good" or "1=0<2=50<3=100"."""
    digits = tuple(f"{v:g}" for v in scale.values)
    if scale.labels == digits and all(b - a == 1 for a, b in zip(scale.values, scale.values[1:])):
        return f"{digits[0]}-{digits[-1]}"
    if all(label.isdigit() for label in scale.labels):
        return "<".join(f"{label}={value}" for label, value in zip(scale.labels, digits))
    return "<".join(scale.labels)


def scale_for(low: float, high: float, *, whole: bool = True) -> str:
    """A scale, as `parse_scale` reads it, on which scores from low to high lie, and that every model can write.

    Two labels that begin with the same digit are one to many models, so a wide range is that of five labels.
    whole: whether all scores are whole numbers; a range of two of them has five labels, too, where they are not.
    """
    start, end = math.floor(low), math.ceil(high)
    if (whole or end - start > 1) and 0 <= start < end <= 9:
        return f"{min(1, start)}-{end}"
    start = (1 if start and end <= 10 else 0) if 0 <= start <= end / 4 else start
    return ",".join(f"{place + 1}={start + place * (end - start) / 4:g}" for place in range(5))


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _range(spec: str) -> list[tuple[str, float]]:
    low, dash, high = (part.strip() for part in spec.partition("-"))
    if dash and low.isdigit() and high.isdigit() and int(low) < int(high) <= int(low) + 100:
        return [(str(v), float(v)) for v in range(int(low), int(high) + 1)]
    if dash and low in LETTERS and high in LETTERS and low and high and low < high:
        letters = LETTERS[LETTERS.index(low) : LETTERS.index(high) + 1]
        return [(c, float(len(letters) - i)) for i, c in enumerate(letters)]
    raise PromptError(
        f"cannot read the scale {spec!r}",
        'use "1-5", "0-10", "A-E", or labels from the worst to the best: "poor,fair,good"',
    )


def _number(value: Any, label: object) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise PromptError(f"the value of label {label!r} is {value!r}, not a number") from None
    if not math.isfinite(number):
        raise PromptError(f"the value of label {label!r} is {value!r}, not a finite number")
    return number
