"""Figures of weights on what they were fitted on: they must say so wherever they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..fitting import Labelled, ids_digest, overlap
from .records import Evaluation


def with_caveat(found: Evaluation, data: Labelled, fit: Mapping[str, Any]) -> Evaluation:
    """The evaluation of given weights, whose verdict says how many of its judgments are of what they were fitted on.

    data: the judgments that were evaluated. fit: the weights' record of the fit; where it has no marks, the digest of
    all ids is compared.
    """
    known = int(overlap(data, fit).sum())
    if not known and fit.get("ids") == ids_digest(data.item):
        known = found.n
    if not known:
        return found
    found = replace(found, seen=known)
    verdict = found.verdict and replace(found.verdict, text=f"{found.caveat} {found.verdict.text}")
    return replace(found, verdict=verdict)
