"""Which layer logits weights are fitted to: those of one lens, of the better one, or of both side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from ..errors import FitError
from ..records import BOTH_LENSES, LENSES, both_lenses
from .fit import FitResult, fit
from .objective import Loss
from .states import STATES

if TYPE_CHECKING:  # part of typing from Python 3.11 on
    from typing_extensions import Unpack

# None: the lens is chosen in the training part. The paper reads states raw, so its kinds keep that lens.
LENS_OF: Mapping[str, str | None] = {"uniform": "raw", "simplex": "raw", "signed": None, "full": BOTH_LENSES}


class Choices(TypedDict, total=False):
    """Arguments of `fit` that a choice between lenses hands on."""

    strength: float | None
    groups: np.ndarray | Sequence[Any] | None
    loss: Loss
    folds: int
    seed: int
    max_states: int | None
    grid: Sequence[float]
    calibrate: bool


def lenses_for(
    kind: str, layer_logits: Mapping[str, np.ndarray], lenses: Mapping[str, str | None] = LENS_OF
) -> dict[str, np.ndarray]:
    """The layer logits, by lens, that weights of this kind may be fitted to.

    Where the kind wants both lenses and there is one, it is that one. Raises FitError where the kind wants a lens
    that is not among them.
    """
    wanted = lenses.get(kind)
    given = {lens: x for lens, x in layer_logits.items() if lens != STATES}
    if wanted == BOTH_LENSES and set(LENSES) <= set(given):
        return {BOTH_LENSES: both_lenses(np.asarray(given["raw"]), np.asarray(given["norm"]))}
    wanted = None if wanted == BOTH_LENSES else wanted
    found = {lens: x for lens, x in given.items() if wanted in (None, lens)}
    if not found:
        raise FitError(f"kind {kind!r} wants the lens {wanted!r}, given are {', '.join(given)}")
    return found


def best_lens(
    layer_logits: Mapping[str, np.ndarray],
    human: np.ndarray,
    values: np.ndarray | Sequence[float],
    *,
    kind: str,
    **choices: Unpack[Choices],
) -> FitResult:
    """The fit of the lens whose out-of-fold scores agree best with `human`; choices as of `fit`.

    layer_logits: by lens, (n, S, K). For uniform weights, which no data can choose, the first lens given.
    Raises FitError as `fit` does.
    """
    fits = [fit(x, human, values, kind=kind, lens=lens, **choices) for lens, x in layer_logits.items()]
    if len(fits) == 1 or kind == "uniform":
        return fits[0]
    return max(fits, key=_best_trial)


def _best_trial(found: FitResult) -> float:
    return max((agreement for _, agreement in found.trials if agreement is not None), default=-np.inf)
