"""Columns of a Hugging Face data set (extra `datasets`, for the data sets: this module imports nothing of it).

    from lager_lite.adapters.datasets import JudgeColumns

    scored = data.map(JudgeColumns(rubric="helpfulness"), batched=True, batch_size=512)

Columns are read as the keys of a file's rows. Rows of one batch share their prefixes, so sort or group by what they
share.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..backbones import locate_model, open_model
from ..errors import DataError
from ..judging import Judge, items_of_dicts
from ..llama import BackendOptions
from ..prompts import Rubric, load_rubric
from ..scoring import load_weights

_NUMBERS = ("score", "e_score", "mass")


class JudgeColumns:
    """Scores batches of a data set with a judge that is opened when the first batch comes, once in each process.

    - `model`: what `Judge` takes; None: the default model.
    - `rubric`: a rubric or several, as `Judge` takes them.
    - `weights`: the path of a weights file; None for none.
    - `options`: the settings of llama.cpp.
    - `prefix`: what the names of the new columns begin with.

    New columns: `score`, `e_score` and `mass` (float, None where there is none) and `error` (text, None where there is
    a score); with several rubrics there are four for each, with the rubric's name before theirs. A data set finds
    what it computed before by the model's fingerprint, the rubrics and the content of the weights.

    Raises what `Judge` raises, at the latest with the first batch.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        rubric: str | Path | Rubric | Sequence[str | Path | Rubric] = "default",
        weights: str | Path | None = None,
        options: BackendOptions = BackendOptions(),
        prefix: str = "judge_",
    ) -> None:
        given = [rubric] if isinstance(rubric, (str, Path, Rubric)) else list(rubric)
        self.rubrics = tuple(one if isinstance(one, Rubric) else load_rubric(one) for one in given)
        self.model = str(locate_model(str(model) if model is not None else None).path)
        self.options, self.prefix = options, prefix
        self.weights = load_weights(weights) if weights is not None else None
        self._judge: Judge | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # The fingerprint is part of it, so that a data set does not take scores of another model for these.
        fingerprint = open_model(self.model).info.fingerprint
        return _reopened, (self.model, self.rubrics, self.weights, self.options, self.prefix, fingerprint)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Return the new columns of a batch. Raises DataError for rows that cannot be read."""
        # A data set in the format of NumPy or PyTorch has arrays for columns.
        lists = {name: column.tolist() if hasattr(column, "tolist") else column for name, column in batch.items()}
        if not all(isinstance(column, list) for column in lists.values()):
            raise DataError("a batch is a dict of columns, each a list", "call map with batched=True")
        rows = [dict(zip(lists, cells)) for cells in zip(*lists.values())]
        items, _ = items_of_dicts(rows, "the batch")
        found = iter([judgment for _, judgment in self._opened().judged(items, quiet=True)])
        judged = [list(itertools.islice(found, len(self.rubrics))) for _ in items]
        columns: dict[str, list[Any]] = {}
        for place, rubric in enumerate(self.rubrics):
            own = f"{self.prefix}{rubric.name}_" if len(self.rubrics) > 1 else self.prefix
            for name in (*_NUMBERS, "error"):
                columns[f"{own}{name}"] = [getattr(judgments[place], name) for judgments in judged]
        return columns

    def close(self) -> None:
        """Free the model; the next batch opens it again."""
        if self._judge is not None:
            self._judge.close()
            self._judge = None

    def _opened(self) -> Judge:
        if self._judge is None:
            self._judge = Judge(self.model, rubric=self.rubrics, weights=self.weights, options=self.options)
        return self._judge


def _reopened(
    model: str, rubrics: tuple[Rubric, ...], weights: Any, options: BackendOptions, prefix: str, _fingerprint: str
) -> JudgeColumns:
    made = JudgeColumns(model, rubric=rubrics, options=options, prefix=prefix)
    made.weights = weights
    return made
