"""Weights files of panels: what they name, and what they are refused for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lager_lite.errors import WeightsError
from lager_lite.records import Calibration, LayerWeights, Scale
from lager_lite.scoring import (
    Member,
    PanelWeights,
    Provenance,
    WeightsFile,
    check_distinct,
    check_panel,
    load_panel,
    load_weights,
    save_panel,
    save_weights,
)

SCALE = Scale(("1", "2"), (1.0, 2.0))


def file_of(mark):
    weights = LayerWeights("signed", "raw", np.array([0.5, -1.0]), np.array([0.1, 0.2]))
    return WeightsFile(weights, Provenance(mark, "llama", "Q4_1", 2, SCALE, {"r": "h"}))


def panel(*marks):
    shares = np.full(len(marks), 1.0 / len(marks))
    calibration = Calibration("affine", np.array([1.0, 2.0]), np.array([1.2, 1.9]))
    return PanelWeights(tuple(map(file_of, marks)), shares, calibration, 0.5, {"items": 3}, "today")


def models(*marks):
    return [Member(f"{mark}.gguf", "llama", "Q4_1", mark) for mark in marks]


def test_what_was_saved_is_loaded_and_names_every_member_in_order(tmp_path):
    path = tmp_path / "p.json"
    save_panel(path, panel("a", "b", "c"))
    assert json.loads(path.read_text())["models"] == ["a", "b", "c"]
    found = load_panel(path)
    assert [one.provenance for one in found.members] == [one.provenance for one in panel("a", "b", "c").members]
    np.testing.assert_array_equal(found.members[2].weights.weights, [0.5, -1.0])
    np.testing.assert_array_equal(found.calibration.y, [1.2, 1.9])
    assert (found.shares.tolist(), found.margin, found.fit, found.date) == ([1 / 3] * 3, 0.5, {"items": 3}, "today")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ("a", "b", "c"),
            r"the weights are for a panel of 2 models, llama Q4_1 \(a\) and llama Q4_1 \(b\); this one has 3",
        ),
        (("b", "a"), "the weights are for these models in another order"),
        (("a", "c"), r"for another panel: member 2 was llama Q4_1 \(b\), and is c.gguf"),
    ],
)
def test_another_panel_is_refused_in_words(given, message):
    check_panel(panel("a", "b"), models("a", "b"))
    with pytest.raises(WeightsError, match=message):
        check_panel(panel("a", "b"), models(*given))
    if len(given) == 2:
        check_panel(panel("a", "b"), models(*given), force=True)


def test_equal_models_and_single_ones_are_no_panel():
    check_distinct(models("a", "b"))
    with pytest.raises(WeightsError, match="two members of the panel are the same model: a.gguf"):
        check_distinct(models("a", "b", "a"))
    with pytest.raises(WeightsError, match="a panel needs two models or more"):
        check_distinct(models("a"))


def test_files_of_one_model_and_of_a_panel_are_told_apart(tmp_path):
    single, several = tmp_path / "w.json", tmp_path / "p.json"
    save_weights(single, file_of("a"))
    save_panel(several, panel("a", "b"))
    with pytest.raises(WeightsError, match="holds the weights of one model"):
        load_panel(single)
    with pytest.raises(WeightsError, match="holds the weights of a panel of 2 models"):
        load_weights(several)


@pytest.mark.parametrize(
    "change",
    [
        {"shares": [0.5, 0.6]},
        {"shares": [1.5, -0.5]},
        {"shares": [1.0]},
        {"models": ["b", "a"]},
        {"members": [{}, {}]},
        {"calibration": {"kind": "affine", "x": [2, 1], "y": [1, 2]}},
        {"margin": "wide"},
        {"version": 9},
    ],
)
def test_a_damaged_file_is_an_error(tmp_path, change):
    path = tmp_path / "p.json"
    save_panel(path, panel("a", "b"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(WeightsError, match="is corrupt" if "version" not in change else "has version 9"):
        load_panel(path)
