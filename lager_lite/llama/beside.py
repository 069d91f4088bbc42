"""Several contexts of one model side by side on a GPU, each with a share of the prompts.

Between two decodes a GPU waits for the host, which builds the next graph and launches its kernels one by one. With a
second context, whose thread does that meanwhile, it has something to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

import numpy as np

from .backbone import Backbone
from .context import Context, Group
from .schedule import share_prompts

CONTEXTS, APART = 2, 8
"""How many contexts read at the same time where a GPU has the memory for them, and how many where every decode is of one
prompt. On an H200 two read the default model 1.4 to 1.5 times as fast as one, and a 1.5B 1.5 times; three and four no
faster. One prompt after the other (`steady`), two took 12.1 s, four 7.8 s and eight 5.8 s."""
# Fewer tokens than these batches for each context are read by one.
_BATCHES = 2
_LEFT_FREE = 2**30


class ContextsBeside:
    """Contexts that read beside a first one, opened when they are needed and kept.

    One more is opened while the GPU's free memory holds twice what the first one took, and a GiB stays free.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._opened: list[Context] = []
        self._longest = 0

    def close(self) -> None:
        """Free the contexts."""
        while self._opened:
            self._opened.pop().close()

    def for_work(self, first: Context, tokens: int) -> Sequence[Context]:
        """Return the contexts that should read `tokens` tokens, `first` among them."""
        if self._backbone.gpu_layers != -1 or self._backbone.options.rpc:
            return [first]  # The CPU computes a part, or another machine does.
        options = self._backbone.options
        most = APART if options.steady or options.leaves() == 1 else CONTEXTS
        wanted = min(most, options.thread_count(), tokens // (_BATCHES * first.capacity))
        if wanted < 2:
            return [first]
        if self._longest != first.longest:
            self.close()
            self._longest = first.longest
        while len(self._opened) < wanted - 1 and self._has_room(first):
            self._opened.append(self._backbone.context(first.longest))
        return [first, *self._opened[: wanted - 1]]

    def _has_room(self, first: Context) -> bool:
        free = sum(d.memory_free for d in self._backbone.library.devices() if d.name.startswith("CUDA"))
        return free - _LEFT_FREE > 2 * max(first.memory, _LEFT_FREE // 4)


def evaluate_beside(
    contexts: Sequence[Context], prompts: Sequence[np.ndarray], *, max_state: int | None = None
) -> Iterator[Group]:
    """Evaluate prompts with these contexts, each with a share, and yield the groups of all in turn.

    As `Context.evaluate`; the prompts of a group are numbered as in `prompts`.
    """
    with ExitStack() as stack:
        waiting: deque[tuple[list[int], Iterator[Group]]] = deque()
        for context, share in zip(contexts, share_prompts(prompts, len(contexts))):
            groups = context.evaluate([prompts[i] for i in share], max_state=max_state)
            waiting.append((share, stack.enter_context(closing(groups))))
        while waiting:
            share, turn = waiting.popleft()
            group = next(turn, None)
            if group is not None:
                waiting.append((share, turn))
                yield replace(group, prompts=tuple(share[i] for i in group.prompts))
