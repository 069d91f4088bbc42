"""The weights that ship belong to the default model and the rubric as it is, and to no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lager_lite.backbones.locate import locate_model
from lager_lite.backbones.model_file import open_model
from lager_lite.errors import LagerError
from lager_lite.fitting.labelled import ids_digest
from lager_lite.judging.judge import Judge
from lager_lite.scoring.shipped import shipped_weights
from lager_lite.scoring.weights import load_weights
from lager_lite.system import shipped_folder

FOLDER = Path(__file__).resolve().parents[2] / "models"


@pytest.fixture
def judge():
    try:
        path = locate_model(None).path
    except LagerError as error:
        pytest.skip(f"the default model is not installed: {error.hint}")
    with Judge(path, rubric="faithfulness") as judge:
        yield judge


@pytest.mark.model
def test_the_default_model_finds_its_weights_and_no_other_does(judge):
    now = judge.provenance()
    found = shipped_weights(now)
    assert found is not None and found.weights.weights.shape == (judge.n_states, judge.info.n_embd)
    assert now.fingerprint == open_model(locate_model(None).path).info.fingerprint
    assert shipped_weights(replace(now, fingerprint="sha256:00")) is None
    assert shipped_weights(replace(now, rubrics={"faithfulness": "changed"})) is None


def test_they_were_fitted_on_the_training_set_as_it_is():
    rows = [json.loads(line) for line in (FOLDER / "training" / "summaries.jsonl").read_text().splitlines()]
    files = sorted(FOLDER.glob("*.json"))
    assert shipped_folder() is not None and files
    for path in files:
        fit = load_weights(path).provenance.fit
        assert (fit["items"], fit["groups"]) == (len(rows), len({r["group"] for r in rows}))
        assert fit["ids"] == ids_digest([r["id"] for r in rows])
