"""One job on many processes or machines, on engines that exist: shards of a file, and Ray."""

from __future__ import annotations

from .ray_workers import Cluster, spread
from .score_batch import SCORE_COLUMNS, SPARK_SCHEMA, ScoreBatch
from .shards import Shard, fill_store, merge_outputs, parse_shard

__all__ = [
    "SCORE_COLUMNS",
    "Cluster",
    "SPARK_SCHEMA",
    "ScoreBatch",
    "Shard",
    "fill_store",
    "merge_outputs",
    "parse_shard",
    "spread",
]
