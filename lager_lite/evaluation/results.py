"""One evaluation as a value and as a file: its figures, and what they were made from.

The file is one JSON object, written by `eval --json` and read by `compare`.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import DataError
from ..judging import Judge
from ..stats import Agreement, Ceiling, Difference, Interval
from ..system import write_beside

RUN_SCHEMA = "lager-lite/evaluation"
RUN_SCHEMA_VERSION = 1
BASELINES = ("direct", "e_score", "uniform")
_LIBRARIES = ("llama-cpp-python", "numpy", "scipy")


@dataclass(frozen=True)
class MethodResult:
    """One method.

    name: of the method.
    overall: agreement of its raw scores with the human scores.
    interval: of the Spearman correlation, over groups; None where undefined.
    calibrated_mae: mean absolute error of `calibrated`, in points of the scale; None where nothing was calibrated.
    criteria: agreement within each criterion, by its name.
    gain: Spearman correlation minus that of e_score on the same items; None for e_score itself.
    lenses: the lens that each training part chose, fold by fold; empty for methods without folds.
    raw: its scores, one per judgment, in the order of `Evaluation.items`.
    calibrated: the same on the human scale, by calibrations that have not seen the item; None where nothing was
        calibrated (the baselines beside given weights).
    """

    name: str
    overall: Agreement
    interval: Interval | None
    calibrated_mae: float | None
    criteria: Mapping[str, Agreement]
    gain: Difference | None
    lenses: tuple[str, ...]
    raw: tuple[float, ...]
    calibrated: tuple[float, ...] | None

    @property
    def tuned(self) -> bool:
        """Whether its layer weights were fitted."""
        return self.name not in BASELINES


@dataclass(frozen=True)
class LayerResult:
    """How well the expected score of one state alone agrees with people.

    state: its number; 0 is the embedding.
    lens: that it is read through.
    spearman: correlation with the human scores; None where undefined.
    interval: of `spearman`, over groups; None where undefined.
    """

    state: int
    lens: str
    spearman: float | None
    interval: Interval | None


@dataclass(frozen=True)
class FittedKind:
    """Weights of one kind, fitted on all items.

    kind: of the weights, or "like <name>" for a recipe, or "tuned" for given weights.
    lens: the one that agreed better.
    strength: of the ridge; None where there is none.
    weights: one per state, or one tuple of K or 2K per state for kind "full"; for kind "states" the standard
        deviation of what each state adds to the score.
    """

    kind: str
    lens: str
    strength: float | None
    weights: tuple[Any, ...]


@dataclass(frozen=True)
class Verdict:
    """Whether the best fitted method agrees with people better than e_score does.

    method: the best fitted method.
    beats: whether the paired interval of its gain lies above zero.
    text: the finding in one sentence.
    """

    method: str
    beats: bool
    text: str


@dataclass(frozen=True)
class Evaluation:
    """All methods on the same judgments.

    n: number of judgments.
    groups: how many groups they are in.
    folds: of the cross-validation; None where the weights were given.
    seed: of the folds and of resampling.
    methods: one entry per method.
    ceiling: how well annotators agree; None where items have single scores.
    verdict: None where no fitted method has a correlation and an interval of its gain.
    warnings: what the user should know, in sentences.
    values: of the scale's labels, ascending.
    items, criterion, group, human: item id, rubric, group and mean human score, one entry per judgment.
    layers: every state alone, under either lens.
    fitted: weights of every kind for the pictures of a report; no figure is computed from them.
    """

    n: int
    groups: int
    folds: int | None
    seed: int
    methods: tuple[MethodResult, ...]
    ceiling: Ceiling | None
    verdict: Verdict | None
    warnings: tuple[str, ...]
    values: tuple[float, ...]
    items: tuple[str, ...]
    criterion: tuple[str, ...]
    group: tuple[str, ...]
    human: tuple[float, ...]
    layers: tuple[LayerResult, ...]
    fitted: tuple[FittedKind, ...]

    def method(self, name: str) -> MethodResult:
        """The result of one method. Raises StopIteration where there is no such method."""
        return next(m for m in self.methods if m.name == name)


@dataclass(frozen=True)
class Origin:
    """What an evaluation was made from.

    model: name and file name of the backbone.
    fingerprint, architecture, quantization, states: of the backbone.
    rubrics: hash of each rubric, by name.
    labels: of the scale.
    settings: everything that changes layer logits.
    versions: by library.
    data: name of the file of items.
    data_hash: SHA-256 of that file; "" for standard input.
    weights: name and SHA-256 of the weights file; empty where none was given.
    seconds: duration of each part of the run.
    judgments: counts of the reading, as in `Counts`.
    date: ISO 8601, UTC.
    """

    model: str
    fingerprint: str
    architecture: str
    quantization: str
    states: int
    rubrics: Mapping[str, str]
    labels: tuple[str, ...]
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    data: str
    data_hash: str
    weights: Mapping[str, str]
    seconds: Mapping[str, float]
    judgments: Mapping[str, int]
    date: str


@dataclass(frozen=True)
class EvaluationRun:
    """An evaluation with its origin.

    evaluation: the figures.
    origin: what they were made from.
    """

    evaluation: Evaluation
    origin: Origin


def origin_of(
    judge: Judge, data: str, *, weights: str | None = None, seconds: Mapping[str, float] | None = None
) -> Origin:
    """Say where the figures of this judge on the file `data` come from.

    data: path, or "-" for standard input. weights: path of the weights file; None: none was given.
    seconds: duration of each part of the run. Raises DataError for a file that cannot be read.
    """
    now = judge.provenance()
    given = {} if weights is None else {"file": Path(weights).name, "sha256": _hash(weights)}
    return Origin(
        model=f"{judge.info.name} ({judge.info.paths[0].name})",
        fingerprint=now.fingerprint,
        architecture=now.architecture,
        quantization=now.quantization,
        states=now.n_states,
        rubrics=dict(now.rubrics),
        labels=now.scale.labels,
        settings=dict(now.settings),
        versions={
            "lager-lite": __version__,
            "python": platform.python_version(),
            **{n: version(n) for n in _LIBRARIES},
        },
        data="standard input" if data == "-" else Path(data).name,
        data_hash="" if data == "-" else _hash(data),
        weights=given,
        seconds={name: round(value, 2) for name, value in (seconds or {}).items()},
        judgments=asdict(judge.counts),
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def run_json(run: EvaluationRun) -> str:
    """The run as one JSON object on one line."""
    whole = {
        "schema": RUN_SCHEMA,
        "version": RUN_SCHEMA_VERSION,
        "origin": asdict(run.origin),
        "evaluation": asdict(run.evaluation),
    }
    return json.dumps(whole, allow_nan=False) + "\n"


def save_run(path: str | Path, run: EvaluationRun) -> None:
    """Write a run, complete or not at all. Raises OutputError where it cannot be written."""
    text = run_json(run)
    write_beside(path, lambda file: file.write(text), text=True)


def load_run(path: str | Path) -> EvaluationRun:
    """Read what `save_run` wrote. Raises DataError for a missing, corrupt or foreign file."""
    hint = "make one with lager-lite eval --json"
    try:
        whole = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint) from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}", hint) from error
    if not isinstance(whole, dict) or whole.get("schema") != RUN_SCHEMA:
        raise DataError(f"{path} is not an evaluation of lager-lite", hint)
    if whole.get("version") != RUN_SCHEMA_VERSION:
        raise DataError(f"{path} has version {whole.get('version')!r}, this program knows {RUN_SCHEMA_VERSION}", hint)
    try:
        run = EvaluationRun(_evaluation(whole["evaluation"]), Origin(**_tuples(whole["origin"], "labels")))
        _check(run.evaluation)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is corrupt: {error!r}", hint) from error
    return run


def _hash(path: str) -> str:
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while part := file.read(1 << 20):
                found.update(part)
        return found.hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _check(found: Evaluation) -> None:
    columns = [found.items, found.criterion, found.group, found.human]
    columns += [c for m in found.methods for c in (m.raw, m.calibrated) if c is not None]
    if any(len(column) != found.n for column in columns):
        raise ValueError(f"{found.n} judgments, but columns of {sorted({len(c) for c in columns})} entries")


def _evaluation(row: dict[str, Any]) -> Evaluation:
    row = _tuples(row, "warnings", "values", "items", "criterion", "group", "human")
    return Evaluation(
        **{
            **row,
            "methods": tuple(map(_method, row["methods"])),
            "ceiling": row["ceiling"] and Ceiling(**row["ceiling"]),
            "verdict": row["verdict"] and Verdict(**row["verdict"]),
            "layers": tuple(LayerResult(**{**one, "interval": _interval(one["interval"])}) for one in row["layers"]),
            "fitted": tuple(
                FittedKind(**{**one, "weights": tuple(tuple(w) if isinstance(w, list) else w for w in one["weights"])})
                for one in row["fitted"]
            ),
        }
    )


def _method(row: dict[str, Any]) -> MethodResult:
    gain, calibrated = row["gain"], row["calibrated"]
    return MethodResult(
        **{
            **_tuples(row, "lenses", "raw"),
            "overall": Agreement(**row["overall"]),
            "interval": _interval(row["interval"]),
            "criteria": {name: Agreement(**found) for name, found in row["criteria"].items()},
            "gain": gain and Difference(**{**gain, "interval": _interval(gain["interval"])}),
            "calibrated": None if calibrated is None else tuple(calibrated),
        }
    )


def _interval(row: dict[str, Any] | None) -> Interval | None:
    return None if row is None else Interval(**row)


def _tuples(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**row, **{name: tuple(row[name]) for name in names}}
