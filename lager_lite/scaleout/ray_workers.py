"""The same job on the workers of an engine that is there already.

`spread` lets the workers of a Ray cluster evaluate what a judge misses: the judge renders, looks up
and stores as ever, and sends token lists. They are cut along the sorted prompts, so that what shares a
prefix stays together.

`ScoreBatch` is for pipelines of your own: made once per worker, called with batches of rows, and
nothing else. A row has an `id` and what the rubric needs; each judgment is a row of COLUMNS.

Ray:

    rows = ray.data.read_json("items.jsonl").sort("source")
    scored = rows.map_batches(
        ScoreBatch,
        fn_constructor_kwargs={"model": "judge.gguf", "rubric": "faithfulness", "threads": 4},
        compute=ray.data.ActorPoolStrategy(size=8), num_cpus=4, batch_size=512,
    )

Spark, where SCHEMA names the columns and their types:

    def score(frames):
        judge = ScoreBatch("judge.gguf", rubric="faithfulness", threads=4)
        for frame in frames:
            yield judge(frame)

    scored = table.repartition("source").mapInPandas(score, SCHEMA)

Dask, with one thread per worker process (a judge is not for two threads at a time):

    @functools.cache
    def judge():
        return ScoreBatch("judge.gguf", rubric="faithfulness", threads=4)

    def score(part):
        return judge()(part)

    meta = {name: str if kind == "string" else float for name, kind in COLUMNS.items()}
    scored = frame.map_partitions(score, meta=meta)

Dask wants both functions at the top of a module. In all three, sort or group the rows by what they share: only rows of one batch share prefixes.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .. import errors
from ..backbones import locate_model
from ..data import ALIASES, Row, item_of_row
from ..errors import BackendError, DataError, LagerError, ModelFileError
from ..judging import Judge, judgment_row
from ..llama import BackendOptions, cut_sorted, sort_prompts
from ..prompts import Rubric
from ..records import Part, Pending, Reading
from ..scoring import load_weights

# A window is one pass over the cluster, whose workers load the model when it begins.
WINDOW = 16384
ATTEMPTS = 3
_RESTARTS = 8
_NUMBERS = ("score", "raw_score", "direct", "e_score", "uniform", "mass", "tokens")
COLUMNS: Mapping[str, str] = {
    "id": "string",
    "rubric": "string",
    **dict.fromkeys(_NUMBERS, "double"),
    "probabilities": "string",
    "error": "string",
}
SCHEMA = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())


@dataclass(frozen=True)
class Cluster:
    """workers: processes that hold the model; gpus: of each, also a part of one; threads: of each;
    address: of a running Ray cluster ("auto" finds one on this machine), or "local" to start one."""

    workers: int
    gpus: float = 0
    threads: int = 1
    address: str = "local"

    def here(self, options: BackendOptions) -> BackendOptions:
        """The options of the judge that is spread: it tokenizes and needs no GPU, but names readings as
        the workers make them."""
        on_gpu = 0 if not self.gpus or options.gpu_layers == 0 else 1
        return replace(options, gpu_layers=0, cache_type_v=options.value_cache_type(on_gpu))

    def there(self, options: BackendOptions) -> BackendOptions:
        """The options of every worker."""
        return replace(options, threads=self.threads, cache_type_v=self.here(options).cache_type_v)


class ScoreBatch:
    """Scores batches of rows with a backbone that is loaded once.

    model: as -m of the command line, None for the default; rubric: as `Judge`; weights: a weights
    file; threads: None for all cores; options: further settings; fingerprint: the model must have it.
    Raises ModelFileError where the model has another fingerprint, and what `Judge` raises.
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
        """Score a batch: a dict of columns, or a pandas DataFrame. Returns the same kind with COLUMNS, a row
        for every item and rubric; numbers are float64, NaN where there is none. Raises DataError for
        a row without what is needed."""
        frame = not isinstance(batch, Mapping)
        names = list(batch.columns if frame else batch)
        if not set(ALIASES["id"]).intersection(names):
            raise DataError(f"the rows have no id; their columns are {', '.join(map(str, names))}", "add a column id")
        rows = zip(*(batch[name] for name in names), strict=True)
        items = [
            item_of_row(Row(_present(dict(zip(names, row))), f"row {n} of a batch"), n, {}, ("response",))
            for n, row in enumerate(rows, 1)
        ]
        found = [_flat(judgment_row(judgment)) for judgment in self.judge.score(items)]
        columns: dict[str, Any] = {}
        for name, kind in COLUMNS.items():
            values = [row[name] for row in found]
            columns[name] = np.array(values, dtype=np.float64 if kind == "double" else object)
        if not frame:
            return columns
        import pandas

        return pandas.DataFrame(columns)


class ReadBatch:
    """A worker of `spread`: evaluates token lists. What goes wrong is a row, not an exception, since an
    exception would end the whole job."""

    def __init__(
        self, model: str, fingerprint: str, context: bytes, options: dict[str, Any], max_state: int | None
    ) -> None:
        self._failure = ""
        try:
            made = ScoreBatch(model, options=BackendOptions(**options), fingerprint=fingerprint, max_state=max_state)
            self.judge = made.judge
            if self.judge.context_key != context:
                raise BackendError(
                    f"a worker on {socket.gethostname()} would compute other numbers: llama.cpp "
                    f"{self.judge.backbone.library.numerics}, {self.judge.settings()}",
                    "install the same versions on every machine",
                )
        except LagerError as error:
            self._failure = _told(error, fatal=True)

    def __call__(self, table: Any) -> Any:
        keys = table["key"].to_pylist()
        if self._failure:
            return _table([_row(key, error=self._failure) for key in keys])
        columns = (table[name].to_pylist() for name in ("tokens", "labels", "item"))
        pending = [Pending(key, np.array(t, np.int32), tuple(ids), item) for key, t, ids, item in zip(keys, *columns)]
        try:
            parts = list(self.judge.evaluate(pending))
        except LagerError as error:
            return _table([_row(key, error=_told(error)) for key in keys])
        rows = [_row(key, reading, part.whole) for part in parts for key, reading in part.readings.items()]
        rows[0]["evaluated"] = sum(part.evaluated for part in parts)
        return _table(rows)


@contextmanager
def spread(judge: Judge, cluster: Cluster, options: BackendOptions) -> Iterator[None]:
    """Let the workers of a Ray cluster evaluate the judge's prompts until the block ends.

    The judge must have been made with `cluster.here(options)`. Its readings enter its store here, as they
    come. Raises BackendError without Ray or where the cluster cannot be had.
    """
    ray = _started(cluster)
    try:
        judge.evaluator = _Spread(ray, judge, cluster, cluster.there(options))
        judge.window = WINDOW
        yield
    finally:
        judge.evaluator = judge.evaluate
        ray.shutdown()


class _Spread:
    """Evaluates prompts on the workers; what a batch did not give is sent again."""

    def __init__(self, ray: Any, judge: Judge, cluster: Cluster, options: BackendOptions) -> None:
        self._ray, self._cluster = ray, cluster
        self._made = {
            "model": str(judge.info.paths[0]),
            "fingerprint": judge.info.fingerprint,
            "context": judge.context_key,
            "options": asdict(options),
            "max_state": judge.max_state,
        }

    def __call__(self, pending: Sequence[Pending]) -> Iterator[Part]:
        left = {one.key: one for one in pending}
        trouble: LagerError | None = None
        for _ in range(ATTEMPTS):
            try:
                for table in self._results(list(left.values())):
                    part, error = self._part(table.to_pylist(), left)
                    trouble = error or trouble
                    yield part
            except self._ray.exceptions.RayTaskError:
                raise
            except self._ray.exceptions.RayError as error:
                first = str(error).strip().partition("\n")[0]
                trouble = BackendError(
                    f"workers were lost again and again: {first}", "see whether they run out of memory"
                )
            if not left:
                return
        raise trouble or BackendError(f"{len(left)} prompts were not read by any worker")

    def _results(self, pending: Sequence[Pending]) -> Iterator[Any]:
        cluster = self._cluster
        order, shared = sort_prompts([one.tokens for one in pending])
        lengths = np.array([len(pending[i].tokens) for i in order])
        tables = [_sent([pending[i] for i in order[a:b]]) for a, b in cut_sorted(lengths, shared, cluster.workers)]
        pool = self._ray.data.ActorPoolStrategy(size=min(cluster.workers, len(tables)), max_tasks_in_flight_per_actor=2)
        with warnings.catch_warnings():
            # Ray 2.60 to 2.63 announce another way to limit restarts, and have none; without a limit a batch
            # that kills its worker is tried for ever.
            warnings.simplefilter("ignore", DeprecationWarning)
            data = self._ray.data.from_arrow(tables).map_batches(
                ReadBatch,
                fn_constructor_kwargs=self._made,
                batch_size=None,  # a batch is one of the tables
                batch_format="pyarrow",
                compute=pool,
                num_cpus=cluster.threads,
                num_gpus=cluster.gpus or None,
                max_restarts=_RESTARTS,
                max_task_retries=_RESTARTS,
            )
        yield from data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)

    def _part(self, rows: Sequence[dict[str, Any]], left: dict[bytes, Pending]) -> tuple[Part, LagerError | None]:
        readings, error = {}, None
        for row in rows:
            if row["error"]:
                told = json.loads(row["error"])
                error = getattr(errors, told["kind"], BackendError)(told["message"], told["hint"])
                if told["fatal"]:
                    raise error
                continue
            one = left.pop(row["key"])
            raw, norm = (np.frombuffer(row[name], np.float32).reshape(-1, len(one.labels)) for name in ("raw", "norm"))
            readings[one.key] = Reading(raw=raw, norm=norm, mass=row["mass"], tokens=len(one.tokens))
        whole = bool(rows) and all(row["whole"] for row in rows)
        return Part(readings, whole, sum(row["evaluated"] for row in rows)), error


def _started(cluster: Cluster) -> Any:
    # Checked by name: importing Ray where it is absent would look like a damaged installation.
    if find_spec("ray") is None:
        raise BackendError("Ray is not installed", "pip install 'lager-lite[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    # It warns, for every worker, of what is no concern here: the arguments live as long as the workers.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    local = (
        {"num_cpus": cluster.workers * cluster.threads, "include_dashboard": False}
        if cluster.address == "local"
        else {}
    )
    if cluster.address == "local" and cluster.gpus:
        local["num_gpus"] = int(-(-cluster.workers * cluster.gpus // 1))
    try:
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise BackendError(
            f"no Ray cluster at {cluster.address}: {first}", "start one with: ray start --head"
        ) from None
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


def _sent(pending: Sequence[Pending]) -> Any:
    import pyarrow

    columns = {
        "key": pyarrow.array([one.key for one in pending], pyarrow.binary()),
        "tokens": pyarrow.array([one.tokens for one in pending], pyarrow.list_(pyarrow.int32())),
        "labels": pyarrow.array([one.labels for one in pending], pyarrow.list_(pyarrow.int32())),
        "item": pyarrow.array([one.item for one in pending], pyarrow.string()),
    }
    return pyarrow.table(columns)


def _row(key: bytes, reading: Reading | None = None, whole: bool = False, error: str = "") -> dict[str, Any]:
    return {
        "key": key,
        "raw": None if reading is None else reading.raw.astype(np.float32).tobytes(),
        "norm": None if reading is None else reading.norm.astype(np.float32).tobytes(),
        "mass": None if reading is None else reading.mass,
        "whole": whole,
        "evaluated": 0,
        "error": error,
    }


def _table(rows: Sequence[dict[str, Any]]) -> Any:
    import pyarrow

    kinds = {
        "key": pyarrow.binary(),
        "raw": pyarrow.binary(),
        "norm": pyarrow.binary(),
        "mass": pyarrow.float64(),
        "whole": pyarrow.bool_(),
        "evaluated": pyarrow.int64(),
        "error": pyarrow.string(),
    }
    return pyarrow.Table.from_pylist(list(rows), schema=pyarrow.schema(kinds))


def _told(error: LagerError, fatal: bool = False) -> str:
    return json.dumps({"kind": type(error).__name__, "message": error.message, "hint": error.hint, "fatal": fatal})


def _present(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's cells as plain values; engines write NaN or None where a cell is empty."""
    plain = {str(k): v.tolist() if isinstance(v, (np.generic, np.ndarray)) else v for k, v in row.items()}
    return {k: v for k, v in plain.items() if v is not None and v == v}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: float("nan") if row[name] is None else float(row[name]) for name in _NUMBERS}
    probabilities = None if row["probabilities"] is None else json.dumps(row["probabilities"], ensure_ascii=False)
    return {"id": row["id"], "rubric": row["rubric"], **numbers, "probabilities": probabilities, "error": row["error"]}
