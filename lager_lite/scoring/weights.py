"""The weights file: layer weights and a record of what they are for, as JSON.

Weights are valid only for the backbone, the rubrics and the scale that they were fitted on. Using them for
anything else is an error that names the difference.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Advice, WeightsError
from ..records import BOTH_LENSES, LENSES, STATES_KIND, WEIGHT_KINDS, Calibration, LayerWeights, Scale, TextTerm
from ..system import write_beside
from .weights_json import MAKE_AGAIN, MAKE_ONE, read_weights_json

WEIGHTS_SCHEMA = "lager-lite/weights"
PANEL_SCHEMA = "lager-lite/panel"
WEIGHTS_SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Provenance:
    """What weights were fitted on, and so what they are valid for.

    - `fingerprint`: the backbone's content, "sha256:" and 64 digits.
    - `architecture`: the backbone's architecture, as the GGUF file names it.
    - `quantization`: the backbone's quantization, as llama.cpp names it.
    - `n_states`: L+1, the number of states of the backbone.
    - `scale`: the scale of all rubrics.
    - `rubrics`: the hash of each rubric that was fitted on, by its name.
    - `settings`: what changes the numbers (flash attention, KV types, how feedback is written).
    - `fit`: how the weights were fitted, numbers and text in any form that JSON knows.
    - `date`: the time of the fit, ISO 8601; "" where it is not known.
    """

    fingerprint: str
    architecture: str
    quantization: str
    n_states: int
    scale: Scale
    rubrics: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    date: str = ""


@dataclass(frozen=True)
class WeightsFile:
    """Layer weights and what they were fitted on.

    - `weights`: the weights for every rubric that has none of its own.
    - `provenance`: what they were fitted on.
    - `by_rubric`: the weights of single rubrics, which were drawn toward `weights` when they were fitted.
      Empty where one set serves all rubrics.
    """

    weights: LayerWeights
    provenance: Provenance
    by_rubric: Mapping[str, LayerWeights] = field(default_factory=dict)

    def of(self, rubric: str) -> LayerWeights:
        """The weights of one rubric: its own where it has some, otherwise those for all."""
        return self.by_rubric.get(rubric, self.weights)

    @property
    def max_state(self) -> int:
        """The highest state that any of the weights uses."""
        return max(len(w.weights) for w in (self.weights, *self.by_rubric.values())) - 1


def save_weights(path: str | Path, file: WeightsFile) -> None:
    """Write a weights file, complete or not at all.

    Raises OutputError where the file cannot be written.
    """
    text = json.dumps(weights_to_json(file), indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_beside(path, lambda file: file.write(text), text=True)


def load_weights(path: str | Path) -> WeightsFile:
    """Read a weights file.

    Raises WeightsError for a file that is missing, corrupt or of another version; the message says which.
    """
    data = read_weights_json(path)
    if isinstance(data, dict) and data.get("schema") == PANEL_SCHEMA:
        raise WeightsError(
            f"{path} holds the weights of a panel of {len(data.get('members', ()))} models",
            Advice("give every model with -m", "read it with load_panel, for a Panel"),
        )
    if not isinstance(data, dict) or data.get("schema") != WEIGHTS_SCHEMA:
        raise WeightsError(f"{path} is not a weights file of lager-lite", MAKE_ONE)
    if data.get("version") not in (1, WEIGHTS_SCHEMA_VERSION):
        raise WeightsError(
            f"the weights file {path} has version {data.get('version')!r}, this program knows {WEIGHTS_SCHEMA_VERSION}",
            "update lager-lite, or fit again",
        )
    try:
        file = weights_from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"the weights file {path} is corrupt: {error!r}", MAKE_AGAIN) from error
    return file


def weights_to_json(file: WeightsFile) -> dict[str, Any]:
    """A weights file as JSON has it."""
    provenance = file.provenance
    return {
        "schema": WEIGHTS_SCHEMA,
        "version": WEIGHTS_SCHEMA_VERSION,
        **_numbers(file.weights),
        "by_rubric": {name: _numbers(weights) for name, weights in file.by_rubric.items()},
        "backbone": {
            "fingerprint": provenance.fingerprint,
            "architecture": provenance.architecture,
            "quantization": provenance.quantization,
            "states": provenance.n_states,
        },
        "scale": {"labels": list(provenance.scale.labels), "values": list(provenance.scale.values)},
        "rubrics": dict(provenance.rubrics),
        "settings": dict(provenance.settings),
        "fit": dict(provenance.fit),
        "date": provenance.date,
    }


def _numbers(weights: LayerWeights) -> dict[str, Any]:
    calibration = weights.calibration
    return {
        "kind": weights.kind,
        "lens": weights.lens,
        "over": weights.over,
        "weights": _packed(weights.weights) if weights.kind == STATES_KIND else _listed(weights.weights),
        "bias": None if weights.bias is None else _listed(weights.bias),
        "limits": None if weights.limits is None else _listed(weights.limits),
        "margin": weights.margin,
        "text": weights.text
        and {
            **{name: getattr(weights.text, name) for name in ("mode", "scale", "shift")},
            "names": list(weights.text.names),
            "mean": _listed(weights.text.mean),
            "slope": _listed(weights.text.slope),
        },
        "calibration": calibration
        and {
            "kind": calibration.kind,
            "x": np.asarray(calibration.x).tolist(),
            "y": np.asarray(calibration.y).tolist(),
        },
    }


def _listed(numbers: np.ndarray) -> list[Any]:
    listed: list[Any] = np.asarray(numbers, dtype=float).tolist()
    return listed


def _packed(numbers: np.ndarray) -> dict[str, Any]:
    """Many numbers as float32 in base64; as a list they would be five times as long."""
    data = np.asarray(numbers, dtype="<f4").tobytes()
    return {"dtype": "<f4", "shape": list(np.shape(numbers)), "base64": base64.b64encode(data).decode("ascii")}


def _array(data: Any) -> np.ndarray:
    """The numbers that `_listed` or `_packed` wrote, as float64."""
    if not isinstance(data, dict):
        return np.array(data, dtype=float)
    if data["dtype"] != "<f4":
        raise ValueError(f"numbers of the type {data['dtype']!r}")
    raw = base64.b64decode(data["base64"], validate=True)
    numbers: np.ndarray = np.frombuffer(raw, dtype="<f4").reshape(data["shape"]).astype(float)
    return numbers


def _weights_of(data: dict[str, Any]) -> LayerWeights:
    calibration = data["calibration"]
    if calibration is not None:
        calibration = Calibration(
            str(calibration["kind"]), np.array(calibration["x"], float), np.array(calibration["y"], float)
        )
    text = data.get("text")
    return LayerWeights(
        kind=data["kind"],
        lens=data["lens"],
        weights=_array(data["weights"]),
        bias=None if data["bias"] is None else np.array(data["bias"], dtype=float),
        over=data["over"],
        calibration=calibration,
        limits=None if data.get("limits") is None else np.array(data["limits"], dtype=float),
        margin=None if data.get("margin") is None else float(data["margin"]),
        text=text
        and TextTerm(
            str(text["mode"]),
            tuple(map(str, text["names"])),
            np.array(text["mean"], dtype=float),
            np.array(text["slope"], dtype=float),
            float(text["scale"]),
            float(text["shift"]),
        ),
    )


def weights_from_json(data: dict[str, Any]) -> WeightsFile:
    """What `weights_to_json` wrote. Raises KeyError, TypeError, ValueError or AttributeError for anything else."""
    backbone = data["backbone"]
    file = WeightsFile(
        _weights_of(data),
        Provenance(
            fingerprint=str(backbone["fingerprint"]),
            architecture=str(backbone["architecture"]),
            quantization=str(backbone["quantization"]),
            n_states=int(backbone["states"]),
            scale=Scale(tuple(map(str, data["scale"]["labels"])), tuple(map(float, data["scale"]["values"]))),
            rubrics={str(k): str(v) for k, v in data["rubrics"].items()},
            settings={str(k): str(v) for k, v in data["settings"].items()},
            fit=dict(data["fit"]),
            date=str(data["date"]),
        ),
        {str(name): _weights_of(table) for name, table in data.get("by_rubric", {}).items()},
    )
    _check(file)
    return file


def _check(file: WeightsFile) -> None:
    unknown = sorted(set(file.by_rubric) - set(file.provenance.rubrics))
    if unknown:
        raise ValueError(f"weights for the rubrics {unknown}, which were not fitted on")
    for weights in (file.weights, *file.by_rubric.values()):
        _check_numbers(weights, file.provenance)


def _check_numbers(weights: LayerWeights, provenance: Provenance) -> None:
    labels = len(provenance.scale.labels)
    lenses = (*LENSES, BOTH_LENSES) if weights.kind == "full" else LENSES
    if (
        weights.kind not in (*WEIGHT_KINDS, STATES_KIND)
        or weights.lens not in lenses
        or weights.over not in ("logits", "probabilities")
    ):
        raise ValueError(f"kind {weights.kind!r}, lens {weights.lens!r}, over {weights.over!r}")
    shape = np.shape(weights.weights)
    columns = labels * (2 if weights.lens == BOTH_LENSES else 1)
    expected = {"full": (shape[0], columns), STATES_KIND: (shape[0], shape[-1])}.get(weights.kind, shape[:1])
    if shape != expected or not 1 <= shape[0] <= provenance.n_states:
        raise ValueError(f"weights of shape {shape} for {provenance.n_states} states and {labels} labels")
    biases = shape[0] if weights.kind == STATES_KIND else labels
    if weights.bias is not None and np.shape(weights.bias) != (biases,):
        raise ValueError(f"bias of shape {np.shape(weights.bias)} for {labels} labels")
    if weights.limits is not None and np.shape(weights.limits) != (2, shape[0], columns):
        raise ValueError(f"limits of shape {np.shape(weights.limits)} for weights of shape {shape}")
    numbers = [weights.weights.ravel()] + ([] if weights.bias is None else [weights.bias])
    if weights.limits is not None:
        numbers.append(weights.limits.ravel())
    if weights.margin is not None:
        numbers.append(np.array([weights.margin]))
    if (text := weights.text) is not None:
        if text.mode not in ("control", "beside") or text.mean.ndim != 1 or text.mean.shape != text.slope.shape:
            raise ValueError(f"text term {text.mode!r} with shapes {text.mean.shape} and {text.slope.shape}")
        numbers += [text.mean, text.slope, np.array([text.scale, text.shift])]
    if weights.calibration is not None:
        x, y = weights.calibration.x, weights.calibration.y
        if x.shape != y.shape or x.ndim != 1 or (np.diff(x) <= 0).any() or (np.diff(y) < 0).any():
            raise ValueError("the calibration's knots do not ascend")
        numbers += [x, y]
    if not all(math.isfinite(v) for part in numbers for v in part.tolist()):
        raise ValueError("a number is not finite")
