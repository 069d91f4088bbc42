"""Weights of a panel: those of every member, and how much each member counts.

A panel's distribution is the mean of its members' distributions, weighted by their shares (the linear opinion pool:
Stone, The Opinion Pool, 1961), so that its raw score is the same mean of their raw scores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Advice, WeightsError
from ..records import Calibration
from ..system import write_beside
from .weights import PANEL_SCHEMA, Provenance, WeightsFile, weights_from_json, weights_to_json
from .weights_json import read_weights_json

PANEL_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class PanelWeights:
    """The weights of a panel, and what they were fitted on.

    - `members`: the weights of every member, each with its provenance, in the order of the models.
    - `shares`: float64 (M,), how much each member counts; not negative, their sum is one.
    - `calibration`: the map from the panel's raw scores onto the human scale; None where none was fitted.
    - `margin`: as of `LayerWeights`, for the panel's scores.
    - `fit`: how they were fitted, numbers and text in any form that JSON knows.
    - `date`: the time of the fit, ISO 8601; "" where it is not known.
    """

    members: tuple[WeightsFile, ...]
    shares: np.ndarray
    calibration: Calibration | None = None
    margin: float | None = None
    fit: Mapping[str, Any] = field(default_factory=dict)
    date: str = ""


@dataclass(frozen=True)
class Member:
    """What names a member of a panel.

    - `file`: the name of its file.
    - `architecture`, `quantization`, `fingerprint`: as of `Provenance`.
    """

    file: str
    architecture: str
    quantization: str
    fingerprint: str


def check_distinct(models: Sequence[Member]) -> None:
    """Raise WeightsError for a panel of fewer than two models, and where two of them are the same."""
    if len(models) < 2:
        raise WeightsError(
            "a panel needs two models or more",
            Advice("give several models with -m", "give several models, or use a Judge"),
        )
    for place, model in enumerate(models):
        for other in models[:place]:
            if model.fingerprint == other.fingerprint:
                names = model.file if model.file == other.file else f"{other.file} and {model.file}"
                raise WeightsError(
                    f"two members of the panel are the same model: {names}",
                    "give every model once; a panel gains by members that differ",
                )


def check_panel(weights: PanelWeights, models: Sequence[Member], *, force: bool = False) -> None:
    """Raise WeightsError where the weights were fitted for another panel; force: only where the number differs."""
    then = [member.provenance for member in weights.members]
    fit_again = "fit again for this panel"
    if len(then) != len(models):
        raise WeightsError(
            f"the weights are for a panel of {len(then)} models, {_listed(then)}; this one has {len(models)}", fit_again
        )
    marks = [model.fingerprint for model in models]
    if force or [one.fingerprint for one in then] == marks:
        return
    if sorted(one.fingerprint for one in then) == sorted(marks):
        files = {model.fingerprint: model.file for model in models}
        order = [files[one.fingerprint] for one in then]
        raise WeightsError(
            "the weights are for these models in another order",
            Advice(f"give them as -m {' -m '.join(order)}", f"give them as {', '.join(order)}"),
        )
    for place, (one, model) in enumerate(zip(then, models), 1):
        if one.fingerprint != model.fingerprint:
            now = f"{model.file} ({model.architecture} {model.quantization}, {model.fingerprint[:19]})"
            raise WeightsError(
                f"the weights are for another panel: member {place} was {_named(one)}, and is {now}",
                Advice(f"{fit_again}, or use --force", f"{fit_again}, or use force=True"),
            )


def save_panel(path: str | Path, weights: PanelWeights) -> None:
    """Write the weights of a panel, complete or not at all. Raises OutputError where the file cannot be written."""
    calibration = weights.calibration
    whole = {
        "schema": PANEL_SCHEMA,
        "version": PANEL_SCHEMA_VERSION,
        "models": [member.provenance.fingerprint for member in weights.members],
        "shares": weights.shares.tolist(),
        "calibration": calibration
        and {"kind": calibration.kind, "x": calibration.x.tolist(), "y": calibration.y.tolist()},
        "margin": weights.margin,
        "members": [weights_to_json(member) for member in weights.members],
        "fit": dict(weights.fit),
        "date": weights.date,
    }
    text = json.dumps(whole, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_beside(path, lambda file: file.write(text), text=True)


def load_panel(path: str | Path) -> PanelWeights:
    """Read the weights of a panel. Raises WeightsError for a file that is missing, corrupt, or of something else."""
    data = read_weights_json(path)
    if not isinstance(data, dict) or data.get("schema") != PANEL_SCHEMA:
        single = isinstance(data, dict) and "backbone" in data
        what = "holds the weights of one model" if single else "is not a weights file of lager-lite"
        raise WeightsError(
            f"{path} {what}",
            Advice(
                "make the weights of a panel with lager-lite fit -m A -m B",
                "make the weights of a panel with fit_panel",
            ),
        )
    if data.get("version") != PANEL_SCHEMA_VERSION:
        raise WeightsError(
            f"the weights file {path} has version {data.get('version')!r}, this program knows {PANEL_SCHEMA_VERSION}",
            "update lager-lite, or fit again",
        )
    try:
        return _panel_of(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"the weights file {path} is corrupt: {error!r}", "make it again") from error


def _panel_of(data: dict[str, Any]) -> PanelWeights:
    drawn = data["calibration"]
    calibration = drawn and Calibration(str(drawn["kind"]), np.array(drawn["x"], float), np.array(drawn["y"], float))
    members = tuple(map(weights_from_json, data["members"]))
    shares = np.array(data["shares"], dtype=float)
    if shares.shape != (len(members),) or len(members) < 2:
        raise ValueError(f"shares of shape {shares.shape} for {len(members)} members")
    if not np.isfinite(shares).all() or (shares < 0).any() or abs(float(shares.sum()) - 1.0) > 1e-6:
        raise ValueError(f"shares {shares.tolist()}, whose sum is to be one")
    if data["models"] != [member.provenance.fingerprint for member in members]:
        raise ValueError("the members are not the models that it names")
    if calibration is not None and ((np.diff(calibration.x) <= 0).any() or (np.diff(calibration.y) < 0).any()):
        raise ValueError("the calibration's knots do not ascend")
    margin = None if data["margin"] is None else float(data["margin"])
    return PanelWeights(members, shares, calibration, margin, dict(data["fit"]), str(data["date"]))


def _named(one: Provenance) -> str:
    return f"{one.architecture} {one.quantization} ({one.fingerprint[:19]})"


def _listed(members: Sequence[Provenance]) -> str:
    return " and ".join(map(_named, members))
