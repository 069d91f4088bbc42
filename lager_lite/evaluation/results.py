"""One evaluation as a file: its figures, and what they were made from.

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
from ..errors import Advice, DataError
from ..fitting import HeldShare
from ..judging import Judge
from ..stats import Agreement, AnnotatorGrades, BinaryAgreement, Ceiling, Estimate, GradeAgreement, Interval
from ..system import write_beside
from .curve import CurvePoint, LearningCurve
from .records import Evaluation, FittedKind, LayerResult, MethodResult, Verdict

RUN_SCHEMA = "lager-lite/evaluation"
RUN_SCHEMA_VERSION = 2
_LIBRARIES = ("llama-cpp-python", "numpy", "scipy")


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
    given = {} if weights is None else named_file(weights)
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
    hint = Advice("make one with lager-lite eval --json", "make one with save_run")
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


def named_file(path: str) -> dict[str, str]:
    """The name of a file and its SHA-256. Raises DataError where it cannot be read."""
    return {"file": Path(path).name, "sha256": _hash(path)}


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
    columns += [c for m in found.methods for c in (m.raw, m.calibrated, *m.ranks) if c is not None]
    if any(len(column) != found.n for column in columns):
        raise ValueError(f"{found.n} judgments, but columns of {sorted({len(c) for c in columns})} entries")


def _evaluation(row: dict[str, Any]) -> Evaluation:
    row = _tuples(row, "warnings", "values", "items", "criterion", "group", "human", "length")
    return Evaluation(
        **{
            **row,
            "methods": tuple(map(_method, row["methods"])),
            "ceiling": row["ceiling"] and Ceiling(**row["ceiling"]),
            "annotators": row["annotators"] and AnnotatorGrades(**row["annotators"]),
            "verdict": row["verdict"] and Verdict(**{**row["verdict"], "gain": _estimate(row["verdict"]["gain"])}),
            "layers": tuple(LayerResult(**{**one, "interval": _interval(one["interval"])}) for one in row["layers"]),
            "fitted": tuple(
                FittedKind(**{**one, "weights": tuple(tuple(w) if isinstance(w, list) else w for w in one["weights"])})
                for one in row["fitted"]
            ),
            "curve": _curve(row["curve"]) if row.get("curve") else None,
        }
    )


def _curve(row: dict[str, Any]) -> LearningCurve:
    points = tuple(
        CurvePoint(p["labels"], p["groups"], Estimate(p["agreement"]["value"], _interval(p["agreement"]["interval"])))
        for p in row["points"]
    )
    return LearningCurve(**{**row, "points": points, "brings": _estimate(row["brings"])})


def _method(row: dict[str, Any]) -> MethodResult:
    calibrated = row["calibrated"]
    return MethodResult(
        **{
            **_tuples(row, "lenses", "raw"),
            "overall": Agreement(**row["overall"]),
            "interval": _interval(row["interval"]),
            "criteria": {name: Agreement(**found) for name, found in row["criteria"].items()},
            "gain": _estimate(row["gain"]),
            "over_baseline": _estimate(row["over_baseline"]),
            "equal_surface": _estimate(row["equal_surface"]),
            "grades": row["grades"] and _grades(row["grades"]),
            "calibrated": None if calibrated is None else tuple(calibrated),
            "ranks": tuple(map(tuple, row["ranks"])),
            "held": HeldShare(**row["held"]) if row.get("held") else None,
        }
    )


def _grades(row: dict[str, Any]) -> GradeAgreement:
    binary = row["binary"] and BinaryAgreement(**row["binary"])
    return GradeAgreement(**{**_tuples(row, "labels", "confusion"), "binary": binary})


def _interval(row: dict[str, Any] | None) -> Interval | None:
    return None if row is None else Interval(**row)


def _estimate(row: dict[str, Any] | None) -> Estimate | None:
    return None if row is None else Estimate(row["value"], _interval(row["interval"]))


def _tuples(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**row, **{n: tuple(tuple(v) if isinstance(v, list) else v for v in row[n]) for n in names}}
