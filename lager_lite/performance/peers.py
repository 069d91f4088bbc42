"""The same judgments in Hugging Face transformers, to compare the speed (extra `parity`).

Every layer's state is read in two ways, from the same weights dequantized to bfloat16. `single` makes one
forward pass per prompt, without padding, and keeps all hidden states. `authors` does what the paper's
published implementation does: batches of 4 prompts, padded to 2,048 tokens, 10 generated tokens, and all hidden
states returned.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BackendError

PADDED, BATCH, NEW_TOKENS = 2048, 4, 10


@dataclass(frozen=True)
class PeerTimes:
    """What a judgment costs in transformers.

    - `single`: seconds per judgment, median over the prompts.
    - `single_prompts`: how many prompts were timed.
    - `authors`: seconds per judgment in the authors' way, median over the batches; None where no batch was full.
    - `authors_batches`: how many batches were timed.
    """

    single: float
    single_prompts: int
    authors: float | None
    authors_batches: int

    def to_dict(self) -> dict[str, object]:
        """As a dictionary that json.dumps takes."""
        return asdict(self)


def check_peer() -> None:
    """Raise BackendError where the packages of the extra `parity` are missing."""
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        raise BackendError(
            f"the peer needs torch and transformers, and there is no {' and no '.join(missing)}",
            "pip install 'lager-lite[parity]'",
        )


def measure_peer(model: str | Path, prompts: Sequence[np.ndarray], *, singles: int = 8, batches: int = 2) -> PeerTimes:
    """Time both ways on a sample of the prompts (token ids). An untimed first run of each warms up.

    Raises BackendError where the extra is missing or transformers cannot read the file.
    """
    check_peer()
    import torch
    import transformers

    path = Path(model)
    try:
        peer = transformers.AutoModelForCausalLM.from_pretrained(
            str(path.parent), gguf_file=path.name, dtype=torch.bfloat16, **_dense(transformers)
        )
    except Exception as error:
        raise BackendError(
            f"transformers cannot read {path.name}: {error}", "leave out --peer for this model"
        ) from error
    peer.eval()
    chosen = [prompts[i] for i in np.linspace(0, len(prompts) - 1, singles).astype(int)]
    with torch.inference_mode():
        single = _median([functools.partial(_single, peer, p) for p in chosen])
        short = [p for p in prompts if len(p) <= PADDED - NEW_TOKENS][: BATCH * batches]
        parts = [short[i : i + BATCH] for i in range(0, len(short) - BATCH + 1, BATCH)]
        authors = _median([functools.partial(_authors, peer, part) for part in parts]) / BATCH if parts else None
    return PeerTimes(single, len(chosen), authors, len(parts))


def _dense(transformers: Any) -> dict[str, Any]:
    """Options that unpack GGUF weights: newer versions keep them packed otherwise, which is slower on a CPU."""
    kind = getattr(transformers, "GgufConfig", None)
    return {"quantization_config": kind(dequantize=True)} if kind else {}


def _single(peer: Any, prompt: np.ndarray) -> None:
    import torch

    ids = torch.tensor(np.asarray(prompt, dtype=np.int64))[None]
    found = peer(input_ids=ids, output_hidden_states=True, logits_to_keep=1)
    torch.stack([h[0, -1] for h in found.hidden_states]).float().numpy()


def _authors(peer: Any, prompts: Sequence[np.ndarray]) -> None:
    import torch

    ids = torch.zeros((len(prompts), PADDED), dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, PADDED - len(prompt) :] = torch.tensor(np.asarray(prompt, dtype=np.int64))
        mask[row, PADDED - len(prompt) :] = 1
    peer.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=NEW_TOKENS,
        min_new_tokens=NEW_TOKENS,
        do_sample=False,
        output_hidden_states=True,
        return_dict_in_generate=True,
        pad_token_id=0,
    )


def _median(runs: Sequence[Callable[[], None]]) -> float:
    runs[0]()
    times = []
    for run in runs:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
