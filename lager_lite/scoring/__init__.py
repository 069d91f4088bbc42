"""From hidden states and layer weights to a score.

States are projected onto the rows of the score tokens, the layers' logits are combined, and the expected score
of their softmax is returned (LAGER, arXiv 2508.03550). Weights are read from and written to files here. This room
knows arrays and files of weights, and no model.
"""

from __future__ import annotations

from .aggregate import (
    apply_calibration,
    combine_arrays,
    direct,
    e_score,
    expected,
    label_steps,
    per_layer_scores,
    score,
    shared_by_neighbours,
    softmax,
    state_parts,
    states_score,
    uniform_score,
    uniform_weights,
    unlabelled_weights,
    with_text,
)
from .belonging import check_weights
from .panel import Member, PanelWeights, check_distinct, check_panel, load_panel, save_panel
from .readout import label_mass, layer_logits, unit_states
from .shipped import shipped_name, shipped_names, shipped_path, shipped_weights
from .weights import Provenance, WeightsFile, load_weights, save_weights

__all__ = [
    "Member",
    "PanelWeights",
    "Provenance",
    "WeightsFile",
    "apply_calibration",
    "check_distinct",
    "check_panel",
    "check_weights",
    "combine_arrays",
    "direct",
    "e_score",
    "expected",
    "label_mass",
    "label_steps",
    "layer_logits",
    "load_panel",
    "load_weights",
    "per_layer_scores",
    "save_panel",
    "save_weights",
    "score",
    "shared_by_neighbours",
    "shipped_name",
    "shipped_names",
    "shipped_path",
    "shipped_weights",
    "softmax",
    "state_parts",
    "states_score",
    "uniform_score",
    "uniform_weights",
    "unit_states",
    "unlabelled_weights",
    "with_text",
]
