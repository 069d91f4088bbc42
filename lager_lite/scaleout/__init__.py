"""One job on many processes or machines, on engines that exist: shards of a file, and Ray."""

from __future__ import annotations

from .ray_workers import Cluster, ScoreBatch, spread
from .shards import Shard, fill_store, merge_outputs, parse_shard

__all__ = [
    "Cluster",
    "ScoreBatch",
    "Shard",
    "fill_store",
    "merge_outputs",
    "parse_shard",
    "spread",
]
