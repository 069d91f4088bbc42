"""A model checks itself: our logits against llama.cpp's own, over a sample of the vocabulary and on every label.

llama.cpp rounds the vector that the output matrix is multiplied with to the type that suits the matrix; ours stays
float32. The size of that rounding differs by type, kernel and device, so it is not assumed but measured: the sample
says how large it is here, relative to the norm of a row, and a label may differ by no more than a few times as much.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..backbones import ModelFile
from ..errors import UnsupportedModelError
from ..llama import Backbone
from ..records import Head
from ..scoring import layer_logits

SAMPLE = 2048
"""Tokens of the vocabulary that are compared, spread evenly over it."""

_TEXT = "The score of this answer, from 1 to 5, is given here:"
_PROMPTS = 8
# Seen on 50 files (ten tiny families in five types, the default model in eight): the error over the sample at most 0.013,
# the slope off by at most 0.002, a label at most 3.7 times the median; another row's logits at least 13 times.
_ERROR, _SLOPE, _TIMES = 0.05, 0.02, 6.0
# A label's error below this share of the spread is no other row's, however small the rounding of the others is.
_FLOOR = 0.01


def check_head(backbone: Backbone, file: ModelFile, heads: Mapping[tuple[int, ...], Head]) -> float:
    """Compare our logits with llama.cpp's for a few short prompts.

    heads: by the ids of the score tokens that each was read for. Returns the root mean square of the differences over
    the sample, relative to the standard deviation of llama.cpp's logits there.

    Raises UnsupportedModelError where the sample or a label differs by more than rounding explains.
    """
    vocabulary = file.info.n_vocab
    sample = np.unique(np.linspace(0, vocabulary - 1, min(SAMPLE, vocabulary)).astype(np.int64))
    states, theirs = _read(backbone)
    head = file.head(sample.tolist())
    wanted = theirs[:, sample]
    ours = _logits(states, head)
    spread = float(wanted.std()) or 1.0
    error = float(np.sqrt(np.mean((ours - wanted) ** 2))) / spread
    slope = _slope(ours, wanted)
    if not (error <= _ERROR and abs(slope - 1.0) <= _SLOPE):
        raise _refusal(file, f"our logits of {sample.size} tokens", error, _ERROR)
    norms = np.linalg.norm(head.rows, axis=1)
    rounding = _rms(ours - wanted)[norms > 0] / norms[norms > 0]
    limit = _TIMES * float(np.median(rounding)) if rounding.size else 0.0
    for ids, own in heads.items():
        differences = _rms(_logits(states, own) - theirs[:, list(ids)])
        allowed = np.maximum(limit * np.linalg.norm(own.rows, axis=1), _FLOOR * spread)
        worst = int(np.argmax(differences / allowed))
        if not differences[worst] <= allowed[worst]:
            what = f"our logits of token {ids[worst]}"
            raise _refusal(file, what, float(differences[worst]) / spread, float(allowed[worst]) / spread)
    return error


def _read(backbone: Backbone) -> tuple[np.ndarray, np.ndarray]:
    """State L of each prompt, float32 (P, n_embd), and llama.cpp's logits (P, n_vocab); the prompts share their tokens."""
    bos = backbone.adds_bos
    tokens = ([bos] if bos is not None else []) + backbone.tokenize(_TEXT, parse_special=False, start=True)
    lengths = range(max(1, len(tokens) - _PROMPTS + 1), len(tokens) + 1)
    found = backbone.read_states([tokens[:n] for n in lengths])
    logits = [one.logits for one in found if one.logits is not None]
    return np.stack([one.states[-1] for one in found]), np.stack(logits)


def _logits(states: np.ndarray, head: Head) -> np.ndarray:
    """Logits float32 (P, K) of state L under a head."""
    return layer_logits(states[:, None, :], head)[1][:, 0, :]


def _slope(ours: np.ndarray, wanted: np.ndarray) -> float:
    """What our logits must be divided by to fit llama.cpp's best, by least squares."""
    centred = wanted - wanted.mean()
    return float(np.sum((ours - ours.mean()) * centred) / max(float(np.sum(centred**2)), 1e-30))


def _rms(differences: np.ndarray) -> np.ndarray:
    """The root mean square over prompts, (K,) from (P, K)."""
    return np.asarray(np.sqrt(np.mean(np.asarray(differences, dtype=np.float64) ** 2, axis=0)))


def _refusal(file: ModelFile, what: str, found: float, allowed: float) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{file.info.paths[0].name}: {what} differ from llama.cpp's by {found:.3g} of their spread, where rounding explains "
        f"{allowed:.3g}: the output layer of the architecture {file.info.architecture!r} is not understood",
        "judge with another architecture, and report this one",
    )
