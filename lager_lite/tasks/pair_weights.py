"""Weights that decide which of two responses is better, fitted to people's preferences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..data import Pair, group_names
from ..errors import Advice
from ..fitting import FitPlan, Fitted, Labelled, copies_apart, fit_weights, names_not_apart, overlap, seen_marks
from ..judging import Judge
from ..records import LayerWeights
from .comparing import Compared, shown_orders, verdicts


def fit_pair_weights(judge: Judge, compared: Compared, plan: FitPlan = FitPlan()) -> Fitted:
    """Fit weights to the preferences of compared pairs, for `judge` and its like; ties are fitted on, too.

    Every pair counts in both orders, as a whole: the layer logits are the mean of its two prompts. plan: what to fit;
    by default the kind that agrees best under nested folds. Weights under which every pair is a tie have a
    warning. Raises FitError as `fit_weights` does.
    """
    data = labelled_pairs(compared)
    found = fit_weights(judge, replace(data, items=()), plan)
    provenance = found.file.provenance
    pairs = len(data.human) // 2
    facts = {**provenance.fit, **seen_marks(data), "items": pairs, "pairs": pairs}
    # A margin of a score means nothing for a probability.
    weights = replace(found.file.weights, margin=None)
    file = replace(found.file, weights=weights, provenance=replace(provenance, fit=facts))
    apart = pairs_not_apart(_graded(compared)[0], data.group[:pairs])
    return replace(found, file=file, items=pairs, warnings=(*found.warnings, *apart, *unlearned(compared, weights)))


def unlearned(compared: Compared, weights: LayerWeights) -> tuple[str, ...]:
    """What to say of weights under which every one of the compared pairs is a tie; nothing of other weights."""
    if not verdicts(compared.evidence, compared.values, weights).undecided.all():
        return ()
    nothing = "these weights learned nothing: with them the probability of every pair here is 0.5, which is a tie"
    return (f"{nothing}; fit them to the preferences of more pairs",)


def labelled_pairs(compared: Compared) -> Labelled:
    """The m pairs with a preference as labelled data: first as they are, then with their responses exchanged, (2m,)."""
    pairs, rows = _graded(compared)
    evidence, read = compared.evidence.chosen(rows), compared.read[rows]
    first = np.array([pair.preference for pair in pairs], dtype=np.float64)
    human = np.concatenate([first, 1.0 - first])
    orders = [shown_orders(pair) for pair in pairs]
    names = group_names((pair.group for pair in pairs), (f"pair {number}" for number in read))
    return Labelled(
        raw=np.concatenate([evidence.raw, evidence.mirrored.raw]),
        norm=np.concatenate([evidence.norm, evidence.mirrored.norm]),
        human=human,
        individual=tuple((float(one),) for one in human),
        criterion=np.full(human.size, compared.rubric),
        group=np.array(names * 2),
        item=np.array([str(pair.id) for pair in pairs] * 2),
        values=compared.values,
        failed=(),
        items=(*(one for one, _ in orders), *(two for _, two in orders)),
    )


def _graded(compared: Compared) -> tuple[list[Pair], np.ndarray]:
    """The pairs with a preference that were judged, and their rows in the evidence, int (m,)."""
    graded = [row for row, number in enumerate(compared.read) if compared.pairs[number].preference is not None]
    rows = np.array(graded, dtype=np.int64)
    return [compared.pairs[number] for number in compared.read[rows]], rows


def pairs_not_apart(pairs: Sequence[Pair], groups: np.ndarray, *, systems: bool = True) -> list[str]:
    """Warnings of what of the pairs stands in several groups, which folds by group do not keep apart.

    groups: of every pair, str (m,). systems: whether these are not kept apart either.
    """
    said = copies_apart([shown_orders(pair)[0] for pair in pairs], groups, what="pair", regroups=False)
    named = [(name, str(group)) for pair, group in zip(pairs, groups) for name in pair.systems if name]
    learned = names_not_apart(named, "system") if systems else None
    how = Advice("lager-lite pairs --cv 5 --hold-out system", "pair_figures with folds=5 and hold_out=True")
    return [*said, *([f"{learned}: {how} shows what they are worth for other systems"] if learned else [])]


def seen_pairs(compared: Compared, fit: Mapping[str, Any]) -> np.ndarray:
    """Which of the m pairs, or their groups, weights were fitted on, bool (m,); fit: their record of the fit."""
    pairs = tuple(compared.pairs[number] for number in compared.read)
    if not fit or not pairs:
        return np.zeros(len(pairs), dtype=bool)
    graded = replace(compared, pairs=tuple(replace(pair, preference=0.5) for pair in compared.pairs))
    return overlap(labelled_pairs(graded), fit)[: len(pairs)]
