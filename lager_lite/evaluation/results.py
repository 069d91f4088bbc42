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

SCHEMA = "lager-lite/evaluation"
SCHEMA_VERSION = 1
BASELINES = ("direct", "e_score", "uniform")
_LIBRARIES = ("llama-cpp-python", "numpy", "scipy")


@dataclass(frozen=True)
class MethodResult:
    """One method: agreement of its raw scores; interval: of Spearman; criteria: agreement by criterion;
    gain: Spearman minus that of e_score, on the same items, None for e_score itself; lenses: those
    chosen, by fold; raw: its scores, one per judgment, in the order of `Evaluation.items`.
    calibrated: the same on the human scale, by a calibration that has not seen the item, and their
    MAE; None where nothing was calibrated (the baselines beside given weights)."""

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
    """Agreement of one state's own expected score; spearman None where undefined."""

    state: int
    lens: str
    spearman: float | None
    interval: Interval | None


@dataclass(frozen=True)
class FittedKind:
    """Weights of one kind, fitted on all items with the lens that agreed best: (S,) nested in a tuple,
    or (S, K) for kind "full"."""

    kind: str
    lens: str
    strength: float | None
    weights: tuple


@dataclass(frozen=True)
class Verdict:
    """Whether the best fitted method agrees with people better than e_score does.

    beats: the paired interval lies above zero; text: the finding in one sentence.
    """

    method: str
    beats: bool
    text: str


@dataclass(frozen=True)
class Evaluation:
    """All methods on n judgments in some groups; ceiling: None where items have single scores.

    folds: None where the weights were given. items, criterion, group, human: one entry per judgment;
    values: of the scale; layers: every state alone, under either lens; fitted: for the picture,
    never for the figures above. verdict: None where no fitted method has a correlation.
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
        """The result of one method."""
        return next(m for m in self.methods if m.name == name)


@dataclass(frozen=True)
class Origin:
    """What an evaluation was made from.

    model: name and file name; fingerprint, architecture, quantization, states: of the backbone;
    rubrics: name -> hash; labels: of the scale; settings: what changes layer logits; versions: by
    library; data: file name; data_hash: SHA-256 of that file, "" for stdin; weights: of the weights
    file given, {} where none was; seconds: by part of the run; judgments: counts of the reading;
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
class Run:
    """An evaluation with its origin."""

    evaluation: Evaluation
    origin: Origin


def origin_of(
    judge: Judge, data: str, *, weights: str | None = None, seconds: Mapping[str, float] | None = None
) -> Origin:
    """Where the figures of this judge on the file `data` come from; weights: path of the weights file."""
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


def run_json(run: Run) -> str:
    """The run as the text of one JSON object, one line."""
    whole = {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "origin": asdict(run.origin),
        "evaluation": asdict(run.evaluation),
    }
    return json.dumps(whole, allow_nan=False) + "\n"


def save_run(path: str | Path, run: Run) -> None:
    """Write a run, complete or not at all. Raises OutputError where it cannot be written."""
    text = run_json(run)
    write_beside(path, lambda file: file.write(text), text=True)


def load_run(path: str | Path) -> Run:
    """Read what `save_run` wrote. Raises DataError for a missing, corrupt or foreign file."""
    hint = "make one with lager-lite eval --json"
    try:
        whole = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint) from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}", hint) from error
    if not isinstance(whole, dict) or whole.get("schema") != SCHEMA:
        raise DataError(f"{path} is not an evaluation of lager-lite", hint)
    if whole.get("version") != SCHEMA_VERSION:
        raise DataError(f"{path} has version {whole.get('version')!r}, this program knows {SCHEMA_VERSION}", hint)
    try:
        run = Run(_evaluation(whole["evaluation"]), Origin(**_tuples(whole["origin"], "labels")))
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
