"""The same judgments in Hugging Face transformers, for comparing speed (extra `parity`).

Two ways of getting every layer's state for a prompt, on the same weights dequantized to bfloat16:
`single`, one unpadded forward pass per prompt, all hidden states kept; and `authors`, as the paper's
published implementation does it: batches of 4, padded to 2,048 tokens, 10 new tokens generated, all
hidden states returned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BackendError

PADDED, BATCH, NEW_TOKENS = 2048, 4, 10


@dataclass(frozen=True)
class PeerTimes:
    """Seconds per judgment, medians over the prompts (or batches) measured; counts of these."""

    single: float
    single_prompts: int
    authors: float | None
    authors_batches: int

    def row(self) -> dict[str, object]:
        """As a dictionary for JSON."""
        return asdict(self)


def measure_peer(model: str | Path, prompts: Sequence[np.ndarray], *, singles: int = 8, batches: int = 2) -> PeerTimes:
    """Time both ways on a sample of the prompts (token ids); the first run of each warms up.

    Raises BackendError where the extra is missing or transformers cannot read the file.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise BackendError(
            f"the peer needs torch and transformers: {error}", "pip install 'lager-lite[parity]'"
        ) from error
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
        alone = [lambda p=p: _single(peer, p) for p in chosen]
        single = _median(alone)
        short = [p for p in prompts if len(p) <= PADDED - NEW_TOKENS][: BATCH * batches]
        parts = [short[i : i + BATCH] for i in range(0, len(short) - BATCH + 1, BATCH)]
        authors = _median([lambda part=part: _authors(peer, part) for part in parts]) / BATCH if parts else None
    return PeerTimes(single, len(chosen), authors, len(parts))


def _dense(transformers: Any) -> dict[str, Any]:
    """Newer versions keep GGUF weights packed unless told otherwise, which is slower on a CPU."""
    kind = getattr(transformers, "GgufConfig", None)
    return {"quantization_config": kind(dequantize=True)} if kind else {}


def _single(peer: object, prompt: np.ndarray) -> None:
    import torch

    ids = torch.tensor(np.asarray(prompt, dtype=np.int64))[None]
    found = peer(input_ids=ids, output_hidden_states=True, logits_to_keep=1)  # type: ignore[operator]
    torch.stack([h[0, -1] for h in found.hidden_states]).float().numpy()


def _authors(peer: object, prompts: Sequence[np.ndarray]) -> None:
    import torch

    ids = torch.zeros((len(prompts), PADDED), dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, PADDED - len(prompt) :] = torch.tensor(np.asarray(prompt, dtype=np.int64))
        mask[row, PADDED - len(prompt) :] = 1
    peer.generate(  # type: ignore[attr-defined]
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
