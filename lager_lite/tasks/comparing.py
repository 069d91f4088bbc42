"""Two responses side by side, judged in both orders.

A judge that prefers whatever stands first says so in both prompts, once for each response. The layer logits of the two
orders are averaged, so that the position, where it adds to them, cancels; what is left speaks of the responses alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import Pair, counted, pairs_given
from ..errors import DataError, MisuseError
from ..judging import Judge
from ..prompts import RESPONSE_A, RESPONSE_B, is_pairwise
from ..records import BOTH_LENSES, Counts, Item, ItemId, LayerWeights, Reading, both_lenses, id_for_results
from ..scoring import score, unlabelled_weights

EQUAL_TEXTS = "equal texts"
"""The flag of a pair whose responses are the same text: a tie that no model is asked about."""
SAME_SYSTEM = "same system"
"""The flag of a pair of two responses of one system, which win rates leave out."""
_UNDECIDED = "undecided"
"""The flag of a pair whose probability is 0.5, as of weights that learned nothing: a tie, whatever the layers lean to."""

_DIGITS = 6


@dataclass(frozen=True)
class Evidence:
    """Layer logits of n comparisons, with the labels turned to the responses: second better, (tie), first better.

    raw, norm: float32 (n, S, K) under either lens.
    """

    raw: np.ndarray
    norm: np.ndarray

    @property
    def mirrored(self) -> Evidence:
        """The same comparisons with first and second exchanged."""
        return Evidence(self.raw[..., ::-1], self.norm[..., ::-1])

    def lens(self, name: str) -> np.ndarray:
        """The layer logits (n, S, K) under the lens `name`, or of both, (n, S, 2K)."""
        return {"raw": self.raw, "norm": self.norm}[name] if name != BOTH_LENSES else both_lenses(self.raw, self.norm)

    def chosen(self, rows: np.ndarray) -> Evidence:
        """Some of the comparisons."""
        return Evidence(self.raw[rows], self.norm[rows])


@dataclass(frozen=True)
class Verdicts:
    """What one way of combining the layers says of n comparisons.

    first: the probability that the first response is better, ties counted as half, float64 (n,).
    winner: 1 where the first response is better, 0 where the second one is, 0.5 for ties; float64 (n,).
    """

    first: np.ndarray
    winner: np.ndarray

    @property
    def undecided(self) -> np.ndarray:
        """Which of them have a probability of 0.5, as it is written, bool (n,)."""
        return _is_even(self.first)


def verdicts(evidence: Evidence, values: np.ndarray, weights: LayerWeights) -> Verdicts:
    """The verdicts of layer weights; exchanging the responses exchanges the verdicts, whatever the weights.

    values: of the labels, float64 (K,): 0, (0.5,) 1.
    """
    spread, raw, here = score(evidence.lens(weights.lens), values, weights)
    turned, opposite, there = score(evidence.mirrored.lens(weights.lens), values, weights)
    first = (here + 1.0 - there) / 2.0
    if len(values) == 2:
        winner = (np.sign(np.round(raw - opposite, 9)) + 1.0) / 2.0
    else:
        shares = (spread + turned[:, ::-1]) / 2.0
        best = np.round(shares, 9)
        tied = best[:, 0] == best[:, -1]
        winner = np.where(tied, 0.5, np.asarray(values)[np.argmax(best, axis=1)])
    # A calibration may map both sides of the middle onto it, and then nothing says which response is better.
    return Verdicts(first, np.where(_is_even(first), 0.5, winner))


@dataclass(frozen=True)
class Compared:
    """Pairs that were judged in both orders.

    pairs: all of them, as they were given.
    read: numbers of the m pairs that were read, int (m,); the others have equal texts or an error.
    errors: number of a pair -> why it could not be judged.
    orders: evidence of the m pairs with the first response shown first, and with the second one shown first.
    mass: what the labels hold of the vocabulary's probability, float64 (m, 2).
    values: of the labels, float64 (K,).
    weights: how the layers are combined.
    rubric: its name.
    tuned: whether the weights were fitted.
    states: L+1 of the model, of which fewer may have been read.
    """

    pairs: tuple[Pair, ...]
    read: np.ndarray
    errors: Mapping[int, str]
    orders: tuple[Evidence, Evidence]
    mass: np.ndarray
    values: np.ndarray
    weights: LayerWeights
    rubric: str
    tuned: bool
    states: int

    @property
    def evidence(self) -> Evidence:
        """The mean of both orders."""
        one, two = self.orders
        return Evidence((one.raw + two.raw) / 2.0, (one.norm + two.norm) / 2.0)

    @property
    def problems(self) -> tuple[DataError, ...]:
        """Why pairs could not be judged, with their places."""
        return tuple(DataError(f"{_place(self.pairs[number])}{error}") for number, error in self.errors.items())

    def by(self, weights: LayerWeights) -> tuple[Verdicts, Verdicts, Verdicts]:
        """The verdicts of layer weights on the m pairs: of both orders together, then of each order alone.

        The limits of fitted weights are those of the mean of both orders, in which the position cancels; a single order
        lies outside of them for no other reason, so it is not clipped.
        """
        alone = replace(weights, limits=None)
        one, two = (verdicts(evidence, self.values, alone) for evidence in self.orders)
        return verdicts(self.evidence, self.values, weights), one, two

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for every pair, in order.

        - `id`, `rubric`, `system_a` and `system_b` (where a system is named).
        - `probability`: that response A is better, ties counted as half; both orders together.
        - `verdict`: "A", "B" or "tie"; a tie also where the probability is 0.5.
        - `a_first`, `b_first`: the same probability from the order with A, and with B, shown first.
        - `flip`: whether the two orders have different verdicts.
        - `mass`: the smaller of the shares of the vocabulary's probability that the labels hold.
        - `preference`: the share of people who prefer A, where somebody said.
        - `flags`, and `error`: why there is no verdict.
        """
        whole, one, two = self.by(self.weights)
        place = {int(number): row for row, number in enumerate(self.read)}
        named = any(any(pair.systems) for pair in self.pairs)
        graded = any(pair.preference is not None for pair in self.pairs)
        for number, pair in enumerate(self.pairs):
            found = _empty_row() if number in self.errors else _tied_row()
            flags = list(pair.flags)
            if number in place:
                row = place[number]
                flags += [_UNDECIDED] if whole.undecided[row] else []
                flip = bool(one.winner[row] != two.winner[row])
                found = _row(whole, one, two, row, flip, float(self.mass[row].min()))
            elif number not in self.errors:
                flags.append(EQUAL_TEXTS)
            if pair.systems[0] and pair.systems[0] == pair.systems[1]:
                flags.append(SAME_SYSTEM)
            systems = dict(zip(("system_a", "system_b"), pair.systems)) if named else {}
            preference = {"preference": pair.preference} if graded else {}
            more = {"flags": flags, "error": self.errors.get(number)}
            yield {"id": _identity(pair), "rubric": self.rubric, **systems, **found, **preference, **more}


def compare_pairs(
    judge: Judge,
    pairs: Iterable[Pair | Mapping[str, Any]],
    *,
    progress: Callable[[Counts], None] | None = None,
) -> Compared:
    """Judge every pair in both orders.

    judge: opened with one rubric of `pairwise_rubric`. pairs: Pairs, or dicts with the keys of a file's rows.
    progress: called with the counts so far after each batch; a pair counts twice.

    A pair of equal texts is a tie and is not judged. Raises MisuseError for a judge of another rubric, and DataError
    for pairs that cannot be used and where none could be judged.
    """
    if len(judge.rubrics) != 1 or not is_pairwise(judge.rubrics[0]):
        raise MisuseError(
            "the judge does not compare two responses", 'open it with rubric=pairwise_rubric("helpfulness")'
        )
    given = pairs_given(pairs)
    errors = {number: pair.error for number, pair in enumerate(given) if pair.error is not None}
    asked = [n for n, pair in enumerate(given) if n not in errors and not has_equal_texts(pair)]
    items = [item for number in asked for item in shown_orders(given[number])]
    readings: list[tuple[Reading, Reading]] = []
    read: list[int] = []
    found = judge.read(items, progress=progress)
    for number, (_, _, one), (_, _, two) in zip(asked, found, found):
        failed = [reading for reading in (one, two) if isinstance(reading, str)]
        if failed:
            errors[number] = failed[0]
        elif isinstance(one, Reading) and isinstance(two, Reading):
            readings.append((one, two))
            read.append(number)
    if len(errors) == len(given):
        first = min(errors, default=None)
        told = "no pairs" if first is None else f"{_place(given[first])}{errors[first]}"
        raise DataError(f"none of {counted(len(given), 'pair')} could be judged: {told}")
    return _compared(judge, given, read, errors, readings)


def has_equal_texts(pair: Pair) -> bool:
    """Whether both responses of a pair are the same text, whatever its spacing."""
    one, two = (" ".join((text or "").split()) for text in pair.responses)
    return one == two


def shown_orders(pair: Pair) -> tuple[Item, Item]:
    """The pair as items: with its first response shown first, and with its second one shown first."""
    one, two = (str(text) for text in pair.responses)
    return tuple(  # type: ignore[return-value]
        Item(
            pair.id,
            {**pair.fields, RESPONSE_A: shown, RESPONSE_B: other},
            group=pair.group,
            where=pair.where,
            flags=pair.flags,
        )
        for shown, other in ((one, two), (two, one))
    )


def _compared(
    judge: Judge,
    pairs: tuple[Pair, ...],
    read: Sequence[int],
    errors: Mapping[int, str],
    readings: Sequence[tuple[Reading, Reading]],
) -> Compared:
    values = np.asarray(judge.rubrics[0].scale.values, dtype=np.float64)
    states = len(readings[0][0].raw) if readings else judge.n_states
    empty = np.zeros((0, states, len(values)), dtype=np.float32)
    orders = []
    for place, step in ((0, 1), (1, -1)):  # the second order's labels are turned to the responses
        raw, norm = ([getattr(both[place], lens)[:, ::step] for both in readings] for lens in ("raw", "norm"))
        orders.append(Evidence(np.stack(raw) if raw else empty, np.stack(norm) if norm else empty))
    mass = [[np.nan if one.mass is None else one.mass for one in both] for both in readings]
    rubric = judge.rubrics[0].name
    fitted = judge.by_rubric.get(rubric, judge.weights)
    return Compared(
        pairs=pairs,
        read=np.array(read, dtype=np.int64),
        errors=dict(sorted(errors.items())),
        orders=(orders[0], orders[1]),
        mass=np.array(mass, dtype=np.float64).reshape(len(readings), 2),
        values=values,
        weights=fitted or unlabelled_weights(states),
        rubric=rubric,
        tuned=fitted is not None,
        states=judge.n_states,
    )


def _is_even(first: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.round(first, _DIGITS) == 0.5
    return found


def _identity(pair: Pair) -> ItemId:
    return id_for_results(pair.id)


def _place(pair: Pair) -> str:
    return f"{pair.where}: pair {pair.id}: " if pair.where else f"pair {pair.id}: "


def _row(whole: Verdicts, one: Verdicts, two: Verdicts, row: int, flip: bool, mass: float) -> dict[str, Any]:
    return {
        "probability": round(float(whole.first[row]), _DIGITS),
        "verdict": _WORDS[float(whole.winner[row])],
        "a_first": round(float(one.first[row]), _DIGITS),
        "b_first": round(float(two.first[row]), _DIGITS),
        "flip": flip,
        "mass": round(mass, 6) if np.isfinite(mass) else None,
    }


def _tied_row() -> dict[str, Any]:
    return {**_empty_row(), "probability": 0.5, "verdict": "tie", "flip": False}


def _empty_row() -> dict[str, Any]:
    return dict.fromkeys(("probability", "verdict", "a_first", "b_first", "flip", "mass"))


_WORDS = {1.0: "A", 0.0: "B", 0.5: "tie"}
