"""Tokens per second of llama.cpp alone: whole prompts in full batches, and a few rows behind a long one. A command:

    python -m tests.measure.decode_times -m model.gguf

To compare a stock and a patched library, run it in both environments in turn, several times.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np

from lager_lite.backbones.locate import locate_model
from lager_lite.llama.backbone import Backbone
from lager_lite.llama.context import Context
from lager_lite.llama.options import BackendOptions

PROMPTS, ROWS = (512, 1079, 2048), (1, 16, 96)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model")
    parser.add_argument("-ctv", "--cache-type-v", default="auto")
    parser.add_argument("-t", "--threads", type=int)
    parser.add_argument("--prompts", type=int, nargs="+", default=PROMPTS)
    parser.add_argument("--behind", type=int, default=1040, help="Tokens before the rows.")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    options = BackendOptions(cache_type_v=given.cache_type_v, threads=given.threads)
    with Backbone(locate_model(given.model).path, options) as backbone:
        own = backbone.library.ordered_attention_version()
        longest = max(*given.prompts, given.behind + max(ROWS))
        tokens = np.random.default_rng(0).integers(0, backbone.n_vocab, longest).astype(np.int32)
        print(
            f"{backbone.path.name}, attention {'of llama.cpp' if own is None else f'in order, version {own}'}, medians of {given.rounds} rounds"
        )
        with backbone.context(longest, tap=False) as context:
            for length in given.prompts:
                times = [_seconds(context, tokens[:length], 0) for _ in range(given.rounds + 1)]
                print(f"{length} tokens: {length / statistics.median(times[1:]):.0f} tokens/s")
            for rows in ROWS:
                times = []
                for _ in range(given.rounds + 1):
                    _seconds(context, tokens[: given.behind], 0)
                    times.append(_seconds(context, tokens[given.behind : given.behind + rows], given.behind))
                print(f"{rows} behind {given.behind}: {rows / statistics.median(times[1:]):.0f} tokens/s")


def _seconds(context: Context, tokens: np.ndarray, start: int) -> float:
    """Decode tokens from a position on, in full batches."""
    width, begun = context.capacity, time.perf_counter()
    for first in range(0, len(tokens), width):
        context.run_plain(tokens[first : first + width], start + first)
    context.wait()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
