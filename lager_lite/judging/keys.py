"""The keys of readings: hashes of everything that changes a reading's numbers, and of nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Basis:
    """What readings are made by, besides their prompts.

    - `key`: 16 bytes that name all of it.
    - `others`: 16 bytes that name what was asked for, and not what follows from the processor's instructions and from the
      memory that a GPU has free: another basis with the same `others` makes the same readings in another way.
    - `earlier`: the keys that versions used which did not name the instructions, 16 bytes each: one for every type that
      matrices are unpacked to where they are, this processor's first.
    - `instructions`: the processor's instructions that the library uses, in words; "" where they are not known.
    - `library`, `device`: the library with its way to compute, and what computes the blocks, in words.
    - `noted`: what the store notes of it: the instructions, with the device and the way to compute where these may differ
      from run to run.
    """

    key: bytes
    others: bytes
    earlier: tuple[bytes, ...]
    instructions: str
    library: str = ""
    device: str = ""
    noted: str = ""


def context_key(**facts: object) -> bytes:
    """Return a 16-byte digest of everything but the prompt that changes a reading's numbers."""
    text = "\n".join(f"{name}={facts[name]}" for name in sorted(facts))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def reading_key(context: bytes, tokens: np.ndarray, score_tokens: Sequence[int]) -> bytes:
    """Return the 16-byte key of one reading.

    - `context`: the key that `context_key` returned.
    - `tokens`: int (n,), the prompt.
    - `score_tokens`: the K score tokens.
    """
    digest = hashlib.blake2b(context, digest_size=16)
    digest.update(np.asarray(score_tokens, dtype="<i4").tobytes())
    digest.update(b"|")
    digest.update(np.asarray(tokens, dtype="<i4").tobytes())
    return digest.digest()
