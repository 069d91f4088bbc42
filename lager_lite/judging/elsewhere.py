"""A judge whose prompts are evaluated elsewhere, on another device than its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .judge import Judge
from .keys import Basis


@contextmanager
def named_as(judge: Judge, basis: Basis) -> Iterator[None]:
    """Name a judge's readings, and weights that are fitted to them, as `basis` says, until the block ends: for prompts
    that are evaluated elsewhere on another device."""
    own = judge.basis
    judge.basis = basis
    judge._encoder = judge._make_encoder()
    try:
        yield
    finally:
        judge.basis = own
        judge._encoder = judge._make_encoder()
