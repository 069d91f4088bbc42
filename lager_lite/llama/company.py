"""Whether a prompt's states depend on the prompts that are decoded beside it: tried where a library and a file meet.

Kernels may choose how they sum by the number of rows. What comes out depends on the library, the processor, the device
and the kind of the weights, so it is measured with three prompts, at the first load of a file on a machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import Advice
from .context import Context

SAME_BITS = "the same bits alone and in company"


def measure_company(context: Context, prompts: Sequence[np.ndarray], *, cut: bool = False) -> float:
    """Read prompts alone and together, and return the largest difference of a state.

    cut: read the longest one also with a batch that its last token does not fit into, so that one row is decoded alone.
    The difference is relative to the largest number in the states of that prompt; 0 where all bits are equal.
    """
    together = _states(context, prompts)
    pairs = [(_states(context, [prompt])[0], states) for prompt, states in zip(prompts, together)]
    if cut:
        capacity, longest = context.capacity, max(range(len(prompts)), key=lambda i: len(prompts[i]))
        context.capacity = len(prompts[longest]) - 1
        # A prompt that ends there fills the batch, and leaves one row to the other one.
        pairs.append((_states(context, [prompts[longest][:-1], prompts[longest]])[1], together[longest]))
        context.capacity = capacity
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)) for a, b in pairs)


def say_company(difference: float) -> str:
    """Return the result of `measure_company` in words."""
    if difference == 0:
        return SAME_BITS
    return f"states differ by up to {difference:.1g} (relative) between prompts read alone and in company"


def warn_company(difference: float | None, *, steady: bool = False, stock: bool = False) -> list[str]:
    """Return a warning where scores depend on what is read beside a prompt; None is a difference that nobody measured.

    - `steady`: whether it was measured with `BackendOptions.steady`, which is then no remedy.
    - `stock`: whether a CPU computes with the published library, in whose place ours is a remedy.
    """
    if not difference:
        return []
    way = Advice("--steady", "BackendOptions(steady=True)")
    ours = "the patched library (`lager-lite backend build`)"
    remedies = " or ".join([*([] if steady else [str(way)]), *([ours] if stock else [])])
    return [
        f"on this machine {say_company(difference)}{f', with {way} too' if steady else ''}, so another order, shard or "
        f"batch can move a score{f'; {remedies} may prevent it' if remedies else ''}"
    ]


def _states(context: Context, prompts: Sequence[np.ndarray]) -> list[np.ndarray]:
    found: dict[int, np.ndarray] = {}
    for group in context.evaluate(prompts):
        found.update(zip(group.prompts, group.states))
    return [found[index] for index in range(len(prompts))]
