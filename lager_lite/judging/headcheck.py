"""A model checks itself: our logits of the labels against llama.cpp's own."""

from __future__ import annotations

import numpy as np

from ..backbones import ModelFile
from ..errors import UnsupportedModelError
from ..llama import Backbone
from ..records import Head
from ..scoring import layer_logits
from .tokens import ScoreTokens

# llama.cpp rounds the activations too, to the type of the output matrix; ours stay float32. Relative to the
# largest logit for floats (bfloat16 keeps 8 bits), to the logits' spread for all other types.
_TOLERANCE_FLOAT = {"F32": 1e-3, "F16": 1e-3, "BF16": 2.0**-8}
_TOLERANCE_QUANTIZED = 0.05


def check_head(backbone: Backbone, file: ModelFile, labels: ScoreTokens, head: Head) -> float:
    """Compare our logits of the labels with llama.cpp's own; return the largest difference,
    relative to the spread of llama.cpp's logits over the vocabulary.

    Raises UnsupportedModelError where they differ by more than rounding explains.
    """
    tokens = backbone.tokenize("The score is", parse_special=False, start=True) + list(labels.lead)
    bos = backbone.adds_bos
    tokens = ([bos] if bos is not None else []) + tokens
    (states,) = backbone.read_states([tokens])
    _, ours = layer_logits(states.states, head)
    assert states.logits is not None
    theirs = states.logits[list(labels.ids)]
    spread = float(np.std(states.logits)) or 1.0
    worst = float(np.abs(ours[-1] - theirs).max())
    matrix = file.tensors.get("output.weight") or file.tensors["token_embd.weight"]
    rounding = _TOLERANCE_FLOAT.get(matrix.kind.name)
    limit = _TOLERANCE_QUANTIZED * spread if rounding is None else rounding * max(1.0, float(np.abs(theirs).max()))
    if not worst <= limit:
        raise UnsupportedModelError(
            f"{file.info.paths[0].name}: our logits of the labels differ from llama.cpp's by {worst:.3g} "
            f"(at most {limit:.3g} is rounding); the head of architecture {file.info.architecture!r} is not understood",
            "judge with another architecture, and report this one",
        )
    return worst / spread
