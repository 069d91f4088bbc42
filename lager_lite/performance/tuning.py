"""Which quantization of a model is fastest on this machine, and how far it moves the scores.

Speed differs more between quantizations than size does: a file of half the size can run at less than half
the speed. So the file as it is and re-quantized copies of it are measured on real prompts, in turns.
"""

from __future__ import annotations

import itertools
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backbones import open_model
from ..errors import BackendError
from ..judging import Judge
from ..llama import FILE_TYPES, BackendOptions, copy_kind, gpu_layers, load, requantize
from ..prompts import Rubric
from ..records import Item
from ..scoring import expected, softmax

QUANTIZATIONS = ("BF16", "Q8_0", "Q4_K_M", "Q4_0")
# One that reads the states, and one round of both sides.
_BASE_PASSES = 3


@dataclass(frozen=True)
class Candidate:
    """One quantization of a model, compared with the file as it is.

    - `kind`: name of the quantization, as llama.cpp writes it.
    - `bytes`: size of the file.
    - `tokens_per_second`: evaluated tokens per second, median over the rounds.
    - `ratio`: that speed over the speed of the file as it is, median of the rounds' own ratios.
    - `state_drift`: largest relative error of any state of eight prompts (norm of the difference over the norm).
    - `layer_drift`: largest difference of any single layer's expected score, in points of the scale (norm lens).
    - `uniform_drift`: largest difference of the score with equal weights, in points of the scale (norm lens).
    - `error`: why the copy could not be made, and all numbers are 0; None where it could.
    """

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
    """Which quantization of a model is fastest on this machine.

    - `model`: its name.
    - `prompts`: how many prompts were evaluated in each round.
    - `tokens`: their tokens.
    - `candidates`: the file as it is, then every quantization that was tried.
    - `kept`: where the fastest copy was put; None where none was.
    """

    model: str
    prompts: int
    tokens: int
    candidates: tuple[Candidate, ...]
    kept: Path | None = None

    @property
    def fastest(self) -> Candidate:
        """The candidate with the highest ratio."""
        return max((c for c in self.candidates if c.error is None), key=lambda c: c.ratio)

    def to_dict(self) -> dict[str, Any]:
        """As a dictionary that json.dumps takes."""
        return {**asdict(self), "kept": self.kept and str(self.kept), "fastest": self.fastest.kind}


def tune(
    model: str | Path,
    rubric: Rubric,
    items: Sequence[Item],
    *,
    kinds: Sequence[str] = QUANTIZATIONS,
    options: BackendOptions = BackendOptions(),
    rounds: int = 3,
    keep: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Tuning:
    """Measure a model and re-quantized copies of it on the prompts of `items`.

    What a GPU reads as an unpacked copy (see `llama.copies`) is measured so, and not as that kind again.
    keep: a folder for the fastest copy; nothing is put there where the file as it is is the fastest.
    say: told in words what is done next. progress: told how many passes over the items are done, and how many there are.
    Raises BackendError for an unknown kind, and whatever `Judge` raises.
    """
    wrong = [k for k in kinds if k not in FILE_TYPES]
    if wrong:
        raise BackendError(f"unknown quantization {' and '.join(wrong)}", f"use some of {', '.join(FILE_TYPES)}")
    info = open_model(model).info
    layers = gpu_layers(load(), options.gpu_layers, Path(model))
    known = {info.quantization, copy_kind(load(), options, Path(model), layers)}
    # A GPU would read copies of the copies.
    of_copies = replace(options, unpack="off") if layers and options.unpack == "auto" else options
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=keep) as folder:
        paths, errors = {info.quantization: Path(model)}, {}
        for kind in (k for k in kinds if k not in known):
            say(f"writing {kind}")
            try:
                paths[kind] = requantize(model, Path(folder) / f"{kind}.gguf", kind)
            except BackendError as error:
                errors[kind] = error.message
        with Judge(model, rubric=rubric, options=options) as base:
            tasks = [base.encode(item, rubric) for item in items]
            prompts = [t.prompt.tokens for t in tasks if t.prompt is not None]
            passes = _BASE_PASSES + (len(paths) - 1) * (1 + 2 * rounds)
            sample = _Sample(base, rubric, items, prompts[:8], tick=_counting(progress, passes))
            candidates = [sample.candidate(base, 1)]
            for kind in list(paths)[1:]:
                say(f"measuring {kind}")
                # Two models at a time: each copy beside the file as it is.
                with Judge(paths[kind], rubric=rubric, options=of_copies) as other:
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
    """What the file as it is makes of the prompts, to compare others with."""

    def __init__(
        self,
        base: Judge,
        rubric: Rubric,
        items: Sequence[Item],
        prompts: Sequence[np.ndarray],
        *,
        tick: Callable[[], None],
    ) -> None:
        self.base, self.items, self.prompts, self._tick = base, items, prompts, tick
        self.values = np.asarray(rubric.scale.values)
        self.norm, self.states = self._read(base)

    def candidate(self, judge: Judge, rounds: int) -> Candidate:
        """Measure a judge beside the base, in turn, and how far its readings lie from the base's."""
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
        states = [s.states for s in judge.backbone.read_states([p.tolist() for p in self.prompts])]
        self._tick()
        return np.stack([r.norm for r in readings]).astype(np.float64), states

    def _speed(self, judge: Judge) -> float:
        start, before = time.perf_counter(), judge.counts.evaluated_tokens
        for _ in judge.read(self.items):
            pass
        speed = (judge.counts.evaluated_tokens - before) / (time.perf_counter() - start)
        self._tick()
        return speed

    def _scores(self, logits: np.ndarray) -> np.ndarray:
        return expected(softmax(logits), self.values)


def _counting(progress: Callable[[int, int], None], total: int) -> Callable[[], None]:
    """A function that tells `progress` with every call that one more of `total` is done."""
    done = itertools.count(1)
    progress(0, total)
    return lambda: progress(next(done), total)


def _relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest relative error of a state (row): norm of the difference over norm."""
    return float((np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1)).max())
