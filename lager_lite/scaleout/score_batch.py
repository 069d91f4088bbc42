"""Judge batches of rows inside pipelines of your own.

A `ScoreBatch` is made once per worker and then called with batches of rows. A row has an `id` and the fields
that the rubric needs; each judgment becomes a row with the columns of SCORE_COLUMNS.

Ray:

    rows = ray.data.read_json("items.jsonl").sort("source")
    scored = rows.map_batches(
        ScoreBatch,
        fn_constructor_kwargs={"model": "judge.gguf", "rubric": "faithfulness", "threads": 4},
        compute=ray.data.ActorPoolStrategy(size=8), num_cpus=4, batch_size=512,
    )

Spark, where SPARK_SCHEMA names the columns and their types:

    def score(frames):
        judge = ScoreBatch("judge.gguf", rubric="faithfulness", threads=4)
        for frame in frames:
            yield judge(frame)

    scored = table.repartition("source").mapInPandas(score, SPARK_SCHEMA)

Dask, with one thread per worker process (a judge is not for two threads at a time):

    @functools.cache
    def judge():
        return ScoreBatch("judge.gguf", rubric="faithfulness", threads=4)

    def score(part):
        return judge()(part)

    meta = {name: str if kind == "string" else float for name, kind in SCORE_COLUMNS.items()}
    scored = frame.map_partitions(score, meta=meta)

Dask wants both functions at the top of a module. In all three, sort or group the rows by the text they share, since
only rows of the same batch share prefixes.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backbones import locate_model
from ..data import ALIASES, check_names, item_of_row, row_given
from ..errors import DataError, ModelFileError
from ..judging import Judge, judgment_row
from ..llama import BackendOptions
from ..prompts import Rubric
from ..scoring import load_weights

_NUMBERS = ("score", "raw_score", "direct", "e_score", "uniform", "mass", "tokens")
SCORE_COLUMNS: Mapping[str, str] = {
    "id": "string",
    "rubric": "string",
    **dict.fromkeys(_NUMBERS, "double"),
    "probabilities": "string",
    "flags": "string",
    "error": "string",
}
SPARK_SCHEMA = ", ".join(f"{name} {kind}" for name, kind in SCORE_COLUMNS.items())


class ScoreBatch:
    """Scores batches of rows with a backbone that is loaded once.

    model: a path or a name, as for `-m`; None is the default model.
    rubric: as for `Judge`.
    weights: a weights file, or None.
    threads: CPU threads, None for all cores.
    options: further settings of the backend.
    fingerprint: where given, the fingerprint that the model must have.
    max_state: as for `Judge`.
    Raises ModelFileError where the model has another fingerprint, and whatever `Judge` raises.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        rubric: str | Rubric | Sequence[str | Rubric] = "default",
        weights: str | Path | None = None,
        threads: int | None = None,
        options: BackendOptions = BackendOptions(),
        fingerprint: str = "",
        max_state: int | None = None,
    ) -> None:
        path = locate_model(model).path
        options = replace(options, threads=threads) if threads else options
        chosen = load_weights(weights) if weights else None
        self.judge = Judge(path, rubric=rubric, weights=chosen, options=options, max_state=max_state)
        found = self.judge.info.fingerprint
        if fingerprint and found != fingerprint:
            self.judge.close()
            raise ModelFileError(
                f"{path} on {socket.gethostname()} is another model: fingerprint {found}, expected {fingerprint}",
                "copy the same file to every machine",
            )

    def __call__(self, batch: Any) -> Any:
        """Score a batch: a dict of columns, or a pandas DataFrame. Returns the same kind with SCORE_COLUMNS, a row
        for every item and rubric; numbers are float64, NaN where there is none; flags are one text; a
        row without a response has an error in place of a score. An id that is a number comes back as one in a dict,
        and as text in a DataFrame, whose columns have one type each for Spark and Dask. Raises DataError for rows
        without an id, for columns of different lengths and for two columns of one name."""
        frame = not isinstance(batch, Mapping)
        names = list(batch.columns if frame else batch)
        if not set(ALIASES["id"]).intersection(names):
            raise DataError(f"the rows have no id; their columns are {', '.join(map(str, names))}", "add a column id")
        check_names(names, "the batch")
        rows = zip(*_even({name: batch[name] for name in names}), strict=True)
        items = [
            item_of_row(row_given(dict(zip(names, row)), f"row {n} of a batch"), n, {}) for n, row in enumerate(rows, 1)
        ]
        found = [_flat(judgment_row(judgment)) for _, judgment in self.judge.judged(items, quiet=True)]
        columns: dict[str, Any] = {}
        for name, kind in SCORE_COLUMNS.items():
            values = [row[name] for row in found]
            columns[name] = np.array(values, dtype=np.float64 if kind == "double" else object)
        if not frame:
            return columns
        columns["id"] = np.array([str(one) for one in columns["id"]], dtype=object)
        import pandas

        return pandas.DataFrame(columns)


def _even(columns: Mapping[str, Any]) -> list[list[Any]]:
    """The columns as lists. Raises DataError where they are not of one length."""
    lists = {}
    for name, column in columns.items():
        if isinstance(column, (str, bytes)) or not isinstance(column, Iterable):
            raise DataError(f"the column {name} of the batch is one {type(column).__name__}, expected a list of values")
        lists[name] = list(column)
    if len(set(map(len, lists.values()))) > 1:
        counts = ", ".join(f"{name} {len(values)}" for name, values in lists.items())
        raise DataError(f"the columns of the batch have different lengths: {counts}", "give a value for every row")
    return list(lists.values())


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: float("nan") if row[name] is None else float(row[name]) for name in _NUMBERS}
    probabilities = None if row["probabilities"] is None else json.dumps(row["probabilities"], ensure_ascii=False)
    texts = {"probabilities": probabilities, "flags": "; ".join(row["flags"]), "error": row["error"]}
    return {"id": row["id"], "rubric": row["rubric"], **numbers, **texts}
