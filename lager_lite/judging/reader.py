"""From tokens to readings: prompts are evaluated together, and their states projected onto the score tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..backbones import ModelFile, ModelInfo
from ..errors import UnsupportedModelError, WeightsError
from ..llama import Backbone, Context, ContextsBeside, Group, evaluate_beside
from ..records import Head, Part, Pending, Reading
from ..scoring import label_mass, layer_logits, unit_states
from .headcheck import check_head
from .tokens import ScoreTokens

# The smallest context that is opened, in tokens.
_LEAST_CONTEXT = 1024
# Memory for the states of the items that are read together.
_STATES_BYTES = 1 << 28


class Reader:
    """Reads prompts with one backbone, whose context it keeps between calls.

    - `ctx_size`: the tokens of a context; 0: as many as the prompts need.
    """

    def __init__(self, file: ModelFile, backbone: Backbone, *, ctx_size: int) -> None:
        self.n_states = file.info.whole_blocks + 1
        self._file = file
        self._backbone = backbone
        self._ctx_size = ctx_size
        self._context: Context | None = None
        self._beside = ContextsBeside(backbone)
        self._heads: dict[tuple[int, ...], Head] = {}
        self._checked: set[tuple[int, ...]] = set()

    def close(self) -> None:
        """Free the contexts."""
        self._beside.close()
        if self._context is not None:
            self._context.close()
            self._context = None

    def read(self, pending: Sequence[Pending], *, max_state: int | None, states: bool = False) -> Iterator[Part]:
        """Read prompts, evaluating what they share once; yields a Part that says how much, then one for every decode.

        max_state: the last state to read; None reads all. states: the readings hold the states themselves. Raises UnsupportedModelError where a layer logit is not
        finite, and BackendError where llama.cpp fails.
        """
        prompts = [one.tokens for one in pending]
        context = self._context_for(max(map(len, prompts)))
        work = context.work(prompts)
        yield Part({}, True, 0, work)
        for group in evaluate_beside(self._beside.for_work(context, work), prompts, max_state=max_state):
            yield Part(self._readings(pending, group, states), group.logits is not None, group.evaluated)

    def window(self, most: int, rubrics: int, *, states: bool) -> int:
        """How many items to read together, at most `most`: fewer where their states would fill the memory."""
        each = self.n_states * self._file.info.n_embd * 2 * rubrics
        return max(1, min(most, _STATES_BYTES // each)) if states else most

    def self_check(self, labels: Iterable[ScoreTokens]) -> float:
        """Compare our logits with llama.cpp's, those of all these score tokens among them; see `headcheck.check_head`."""
        heads = {one.ids: self._head(one.ids) for one in labels}
        error = check_head(self._backbone, self._file, heads)
        self._checked.update(heads)
        return error

    def check_new(self, labels: Iterable[ScoreTokens]) -> None:
        """Do as `self_check` for the score tokens that were not checked yet."""
        if new := [one for one in labels if one.ids not in self._checked]:
            self.self_check(new)

    def _readings(self, pending: Sequence[Pending], group: Group, states: bool) -> dict[bytes, Reading]:
        found = {}
        for row, index in enumerate(group.prompts):
            one = pending[index]
            raw, norm = layer_logits(group.states[row], self._head(one.labels), self.n_states)
            if not (np.isfinite(raw).all() and np.isfinite(norm).all()):
                raise UnsupportedModelError(
                    f"{self._file.info.paths[0].name} gives layer logits that are not finite for item {one.item!r}",
                    "the file may be damaged, or need -fa off",
                )
            mass = None if group.logits is None else label_mass(group.logits[row], list(one.labels))
            kept = unit_states(group.states[row]) if states else None
            found[one.key] = Reading(raw=raw, norm=norm, mass=mass, tokens=len(one.tokens), states=kept)
        return found

    def _head(self, ids: tuple[int, ...]) -> Head:
        if ids not in self._heads:
            self._heads[ids] = self._file.head(list(ids))
        return self._heads[ids]

    def _context_for(self, longest: int) -> Context:
        if self._context is None or self._context.longest < longest:
            self.close()
            # A little more than needed, so that a stream of slowly growing prompts does not start
            # a context per window.
            size = self._ctx_size or min(self._backbone.n_ctx_train, max(_LEAST_CONTEXT, longest * 5 // 4))
            self._context = self._backbone.context(size)
        return self._context


def highest_state(info: ModelInfo, wanted: int, *, weighted: bool) -> int | None:
    """Return the highest state to read, at most `wanted`; None for all states.

    A pruned copy of a model lacks the upper states, and its own last block's output is computed in another way than
    in the whole model. weighted: layer weights need all states up to `wanted`. Raises WeightsError where the whole
    model has no such state, or the pruned copy lacks one that the weights need.
    """
    whole, top = info.whole_blocks, info.n_blocks - 1
    if not 0 <= wanted <= whole:
        raise WeightsError(f"state {wanted} was asked for, the model has 0 to {whole}", "use a lower max_state")
    if whole == info.n_blocks:
        return None if wanted == whole else wanted
    if weighted and wanted > top:
        raise WeightsError(
            f"{info.paths[0].name} was pruned to states 0 to {top}; these weights read up to {wanted}",
            "use the whole model, or weights that read fewer states",
        )
    return min(wanted, top)
