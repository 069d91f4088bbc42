"""Which quantization of a model is fastest on this machine, and what it changes.

Kernels differ more between quantizations than sizes do: a file of half the size can run at less than
half the speed. So the file is measured as it is and as re-quantized copies, interleaved in one run,
on real prompts.
"""

from __future__ import annotations

import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backbones import open_model
from ..errors import BackendError
from ..judging import Judge
from ..llama import FILE_TYPES, BackendOptions, requantize
from ..prompts import Rubric
from ..records import Item
from ..scoring import expected, softmax

KINDS = ("BF16", "Q8_0", "Q4_K_M", "Q4_0")


@dataclass(frozen=True)
class Candidate:
    """One quantization. ratio: tokens evaluated per second over that of the file as it is, median
    of the rounds' ratios; tokens_per_second: median; state_drift: largest relative error (norm of the difference
    over norm) of any state of eight prompts; layer_drift, uniform_drift: largest difference in points
    of the expected score of any single layer, and of all with equal weights (norm lens); error: why it could not be made."""

    kind: str
    bytes: int
    tokens_per_second: float
    ratio: float
    state_drift: float
    layer_drift: float
    uniform_drift: float
    error: str | None = None


@dataclass(frozen=True)
class Tuning:
    """All candidates, the file as it is first; fastest: the one with the highest ratio; kept: where
    a copy of it was put."""

    model: str
    prompts: int
    tokens: int
    candidates: tuple[Candidate, ...]
    kept: Path | None = None

    @property
    def fastest(self) -> Candidate:
        """The candidate with the highest ratio."""
        return max((c for c in self.candidates if c.error is None), key=lambda c: c.ratio)

    def row(self) -> dict[str, Any]:
        """As a dictionary for JSON."""
        return {**asdict(self), "kept": self.kept and str(self.kept), "fastest": self.fastest.kind}


def tune(
    model: str | Path,
    rubric: Rubric,
    items: Sequence[Item],
    *,
    kinds: Sequence[str] = KINDS,
    options: BackendOptions = BackendOptions(),
    rounds: int = 3,
    keep: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Tuning:
    """Measure a model and re-quantized copies of it on the prompts of `items`.

    keep: a folder into which the fastest copy goes (nothing is kept where the file itself is
    fastest). Raises BackendError for an unknown kind, and as `Judge`.
    """
    wrong = [k for k in kinds if k not in FILE_TYPES]
    if wrong:
        raise BackendError(f"unknown quantizations {', '.join(wrong)}", f"use some of {', '.join(FILE_TYPES)}")
    info = open_model(model).info
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=keep) as folder:
        paths, errors = {info.quantization: Path(model)}, {}
        for kind in (k for k in kinds if k != info.quantization):
            progress(f"writing {kind}")
            try:
                paths[kind] = requantize(model, Path(folder) / f"{kind}.gguf", kind)
            except BackendError as error:
                errors[kind] = error.message
        with Judge(model, rubric=rubric, options=options) as base:
            tasks = [base.encode(item, rubric) for item in items]
            prompts = [t.prompt.tokens for t in tasks if t.prompt is not None]
            sample = _Sample(base, rubric, items, prompts[:8])
            candidates = [sample.candidate(base, 1)]
            for kind in list(paths)[1:]:
                progress(f"measuring {kind}")
                # Two models at a time: each copy beside the file as it is.
                with Judge(paths[kind], rubric=rubric, options=options) as other:
                    candidates.append(sample.candidate(other, rounds))
        candidates += [Candidate(kind, 0, 0.0, 0.0, 0.0, 0.0, 0.0, text) for kind, text in errors.items()]
        found = Tuning(str(info.name), len(prompts), sum(map(len, prompts)), tuple(candidates))
        best = found.fastest.kind
        if keep is None or best == info.quantization:
            return found
        target = keep / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', info.name)}.{best}.gguf"
        os.replace(paths[best], target)
        return Tuning(found.model, found.prompts, found.tokens, found.candidates, target)


class _Sample:
    """The file as it is on the given prompts, and how another compares."""

    def __init__(self, base: Judge, rubric: Rubric, items: Sequence[Item], prompts: Sequence[np.ndarray]) -> None:
        self.base, self.items, self.prompts = base, items, prompts
        self.values = np.asarray(rubric.scale.values)
        self.norm, self.states = self._read(base)

    def candidate(self, judge: Judge, rounds: int) -> Candidate:
        norm, states = (self.norm, self.states) if judge is self.base else self._read(judge)
        speeds: list[list[float]] = [[], []]
        for number in range(rounds):
            # Sides swap places, since the second of two runs is often the faster.
            for side in (0, 1) if number % 2 else (1, 0):
                speeds[side].append(self._speed((self.base, judge)[side]))
        ratio = 1.0 if judge is self.base else statistics.median(b / a for a, b in zip(*speeds))
        layers = self._scores(norm) - self._scores(self.norm)
        uniform = self._scores(norm.mean(axis=1)) - self._scores(self.norm.mean(axis=1))
        return Candidate(
            kind=judge.info.quantization,
            bytes=judge.info.size_bytes,
            tokens_per_second=statistics.median(speeds[1]),
            ratio=ratio,
            state_drift=max(_relative(a, b) for a, b in zip(states, self.states)),
            layer_drift=float(np.abs(layers).max()),
            uniform_drift=float(np.abs(uniform).max()),
        )

    def _read(self, judge: Judge) -> tuple[np.ndarray, list[np.ndarray]]:
        readings = [r for _, _, r in judge.read(self.items) if not isinstance(r, str)]
        states = [s.states for s in judge.backbone.read_states(self.prompts)]
        return np.stack([r.norm for r in readings]).astype(np.float64), states

    def _speed(self, judge: Judge) -> float:
        start, before = time.perf_counter(), judge.counts.evaluated_tokens
        for _ in judge.read(self.items):
            pass
        return (judge.counts.evaluated_tokens - before) / (time.perf_counter() - start)

    def _scores(self, logits: np.ndarray) -> np.ndarray:
        return expected(softmax(logits), self.values)


def _relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest relative error of a state (row): norm of the difference over norm."""
    return float((np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1)).max())
