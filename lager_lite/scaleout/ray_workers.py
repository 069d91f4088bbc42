"""The same job on the workers of a Ray cluster.

`spread` lets the workers evaluate the prompts whose readings the judge does not have. The judge renders, looks up
and stores as usual, and sends lists of tokens. The sorted prompts are cut into runs of neighbours, so that
prompts that share a prefix stay together.
"""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import BackendError, LagerError, error_from_json, error_to_json
from ..judging import Basis, Judge, named_as
from ..llama import BackendOptions, cut_sorted, sort_prompts, unique_tokens
from ..records import Part, Pending, Reading
from .score_batch import ScoreBatch

# A window is one pass over the cluster, whose workers load the model when it begins.
DRIVER_WINDOW = 16384
ATTEMPTS = 3
_RESTARTS = 8


@dataclass(frozen=True)
class Cluster:
    """How a job is spread.

    workers: number of processes that hold the model.
    gpus: GPUs of each worker; a fraction shares one.
    threads: CPU threads of each worker.
    address: the address of a running Ray cluster, "auto" for one on this machine, "local" to start one.
    """

    workers: int
    gpus: float = 0
    threads: int = 1
    address: str = "local"

    def here(self, options: BackendOptions) -> BackendOptions:
        """The options of the judge itself: it only tokenizes and needs no GPU, but its store must name the
        readings as the workers make them."""
        on_gpu = 0 if not self.gpus or options.gpu_layers == 0 else 1
        kind = options.value_cache_type(on_gpu)
        return replace(options, gpu_layers=0, split_mode="layer", main_gpu=0, cache_type_v=kind)

    def there(self, options: BackendOptions) -> BackendOptions:
        """The options of every worker."""
        return replace(options, threads=self.threads, cache_type_v=self.here(options).cache_type_v)


class ReadBatch:
    """A worker of `spread`, which evaluates lists of tokens. An error is returned as a row, since an exception
    would end the whole job."""

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
                    f"{self.judge.backbone.numerics}, {self.judge.basis.instructions}, {self.judge.settings()}",
                    "install the same versions, and one build of the library, on every machine",
                )
        except LagerError as error:
            self._failure = error_to_json(error)

    def __call__(self, table: Any) -> Any:
        keys = table["key"].to_pylist()
        if self._failure:
            return _table([_row(key, error=self._failure, fatal=True) for key in keys])
        columns = (table[name].to_pylist() for name in ("tokens", "labels", "item"))
        pending = [Pending(key, np.array(t, np.int32), tuple(ids), item) for key, t, ids, item in zip(keys, *columns)]
        try:
            parts = list(self.judge.evaluate(pending))
        except LagerError as error:
            return _table([_row(key, error=error_to_json(error)) for key in keys])
        rows = [_row(key, reading, part.whole) for part in parts for key, reading in part.readings.items()]
        rows[0]["evaluated"] = sum(part.evaluated for part in parts)
        return _table(rows)


@contextmanager
def spread(judge: Judge, cluster: Cluster, options: BackendOptions) -> Iterator[None]:
    """Let the workers of a Ray cluster evaluate the judge's prompts until the block ends.

    The judge must have been made with `cluster.here(options)`. Its readings enter its store here, as they
    come. Raises BackendError without Ray, where the cluster cannot be had, and for a
    judge that reads whole states.
    """
    if judge.states:
        raise BackendError("the workers of Ray send back no states, which weights of kind states need", "leave Ray out")
    ray = _started(cluster)
    try:
        there = cluster.there(options)
        with named_as(judge, _basis_there(ray, judge, cluster, there)) if cluster.gpus else nullcontext():
            judge.evaluator = _Spread(ray, judge, cluster, there)
            judge.window = DRIVER_WINDOW
            yield
    finally:
        judge.evaluator = judge.evaluate
        ray.shutdown()


def _basis_there(ray: Any, judge: Judge, cluster: Cluster, options: BackendOptions) -> Basis:
    """Ask a worker what makes its readings: this process does not see its GPU. Raises what the worker does."""
    ask = ray.remote(num_cpus=cluster.threads, num_gpus=cluster.gpus)(find_basis)
    try:
        found = ray.get(ask.remote(str(judge.info.paths[0]), judge.info.fingerprint, asdict(options)))
    except ray.exceptions.RayError as error:
        first = str(error).strip().partition("\n")[0]
        raise BackendError(f"no worker could load the model: {first}", "see whether they run out of memory") from None
    if isinstance(found, str):
        raise error_from_json(found)
    basis: Basis = found
    return basis


def find_basis(model: str, fingerprint: str, options: dict[str, Any]) -> Basis | str:
    """Be the worker that is asked: return what makes its readings, or the error as JSON."""
    try:
        judge = ScoreBatch(model, options=BackendOptions(**options), fingerprint=fingerprint).judge
    except LagerError as error:
        return error_to_json(error)
    with judge:
        return judge.basis


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
        yield Part({}, True, 0, unique_tokens([one.tokens for one in pending]))
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
                # A batch is one of the tables. With GPUs Ray wants a number, and may then join small neighbours.
                batch_size=max(map(len, tables)) if cluster.gpus else None,
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
                error = error_from_json(row["error"])
                if row["fatal"]:
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


def _row(
    key: bytes, reading: Reading | None = None, whole: bool = False, *, error: str = "", fatal: bool = False
) -> dict[str, Any]:
    return {
        "key": key,
        "raw": None if reading is None else reading.raw.astype(np.float32).tobytes(),
        "norm": None if reading is None else reading.norm.astype(np.float32).tobytes(),
        "mass": None if reading is None else reading.mass,
        "whole": whole,
        "evaluated": 0,
        "error": error,
        "fatal": fatal,
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
        "fatal": pyarrow.bool_(),
    }
    return pyarrow.Table.from_pylist(list(rows), schema=pyarrow.schema(kinds))
