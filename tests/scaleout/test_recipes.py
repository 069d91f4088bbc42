"""The recipe for Dask in the docstring of ScoreBatch, against one process."""

from __future__ import annotations

import functools
import os

import pytest

from lager_lite.scaleout.score_batch import SCORE_COLUMNS, ScoreBatch
from tests.measure.ray_times import MARK
from tests.scaleout.test_ray_workers import RUBRIC, items, judged, needs


@functools.cache
def dask_judge():
    return ScoreBatch(os.environ[MARK], rubric=RUBRIC, threads=1)


def dask_score(part):
    return dask_judge()(part)


@needs("dask")
@needs("pandas")
def test_the_recipe_for_dask_scores_like_one_process(tiny_model, monkeypatch):
    import dask.dataframe
    import pandas

    monkeypatch.setenv(MARK, str(tiny_model))
    texts = items(12)
    expected, _ = judged(tiny_model, texts)
    frame = dask.dataframe.from_pandas(pandas.DataFrame([{"id": i.id, **i.fields} for i in texts]), npartitions=3)
    meta = {name: str if kind == "string" else float for name, kind in SCORE_COLUMNS.items()}
    got = frame.map_partitions(dask_score, meta=meta).compute(scheduler="synchronous")
    dask_judge().judge.close()
    assert got["id"].tolist() == [i.id for i in texts]
    assert got["score"].tolist() == pytest.approx([j.score for j in expected], abs=0.01)
