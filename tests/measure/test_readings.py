"""What is kept of a reading is what the program reads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lager_lite.judging.judge import Judge
from lager_lite.prompts import make_rubric
from lager_lite.records import Item
from tests.measure.backbones import NAMES, REAL
from tests.measure.readings import read_set, rebuilt_logits
from tests.measure.sets import StudySet

RUBRIC = make_rubric("good", "Is it good?", template="{sections} {criterion}")
ITEMS = [Item(f"{n}", {"response": "word " * n}, {"good": (float(n),)}, f"group {n // 2}") for n in (1, 2, 3, 4, 5)]


def _check(model: Path, out: Path) -> None:
    with Judge(model, rubric=RUBRIC) as judge:
        assert read_set(judge, StudySet(ITEMS, [RUBRIC], {}), out, seconds=-1) is None
        kept = read_set(judge, StudySet(ITEMS, [RUBRIC], {}), out)
        assert kept is not None and list(out.parent.iterdir()) == [out]
        program = {item.id: reading for item, _, reading in judge.read(ITEMS)}
        rebuilt = rebuilt_logits(kept, judge.file.head(list(judge.labels["good"].ids)))
    assert sorted(kept.item) == sorted(program)
    for place, name in enumerate(kept.item):
        # The same prompts in another batch: the same bits but for what a batch may move.
        assert np.allclose(kept.norm[place], program[name].norm, atol=2e-3 * np.abs(program[name].norm).max())
    for exact, found in zip((kept.raw, kept.norm), rebuilt):
        # Float16 keeps a state's entries to 5e-4 of their size.
        assert np.abs(exact - found).max() <= 2e-3 * np.abs(exact).max()
    assert kept.people.tolist() == [[float(name)] for name in kept.item]


def test_kept_readings_are_the_programs_and_an_interrupted_one_goes_on(tiny_model, tmp_path):
    _check(tiny_model, tmp_path / "readings" / "tiny.npz")


@pytest.mark.real
@pytest.mark.parametrize("name", NAMES)
def test_a_real_backbone_is_read_as_the_program_reads_it(name, tmp_path):
    folder = os.environ.get("LAGER_LITE_MODELS")
    path = Path(folder or ".") / REAL[name].file
    if not folder or not path.exists():
        pytest.skip("LAGER_LITE_MODELS names no folder with it: python -m tests.measure.backbones --models FOLDER")
    _check(path, tmp_path / "readings" / "real.npz")
