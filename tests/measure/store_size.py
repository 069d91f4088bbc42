"""Size and speed of the store with many readings. A command, not a test:

python -m tests.measure.store_size --readings 1000000
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lager_lite.judging.keys import context_key
from lager_lite.judging.store import Store
from lager_lite.performance.workload import peak_megabytes
from lager_lite.records import Reading

BATCH = 500


def key_of(number: int) -> bytes:
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


def batches(readings: int, states: int, labels: int) -> Iterator[list[tuple[bytes, Reading, bytes]]]:
    context = context_key(model="synthetic")
    rng = np.random.default_rng(0)
    for first in range(0, readings, BATCH):
        rows = []
        for number in range(first, min(first + BATCH, readings)):
            raw, norm = rng.standard_normal((2, states, labels), dtype=np.float32)
            rows.append((key_of(number), Reading(raw=raw, norm=norm, mass=0.9, tokens=700), context))
        yield rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=100_000)
    parser.add_argument("--states", type=int, default=31)
    parser.add_argument("--labels", type=int, default=5)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        start = time.perf_counter()
        for rows in batches(given.readings, given.states, given.labels):
            store.put(rows, whole=True)
        written = time.perf_counter() - start
        info = store.info()
        assert info.readings == given.readings
        print(
            f"{info.readings} readings of {given.states} x {given.labels}: {info.bytes / 1e9:.2f} GB, "
            f"{info.bytes / info.readings:.0f} bytes each; written {info.readings / written:.0f}/s"
        )
        drawn = np.random.default_rng(1).permutation(given.readings)[:20_000]
        start = time.perf_counter()
        found = store.get([key_of(int(n)) for n in drawn])
        seconds = time.perf_counter() - start
        assert len(found) == len(drawn)
        start = time.perf_counter()
        assert not store.get([key_of(given.readings + int(n)) for n in drawn])
        missing = time.perf_counter() - start
        print(
            f"looked up at random: {len(drawn) / seconds:.0f}/s that are there, {len(drawn) / missing:.0f}/s that are not"
        )
        with Store(Path(folder) / "store.sqlite") as again:
            start = time.perf_counter()
            again.info()
            print(
                f"opened again and counted in {time.perf_counter() - start:.2f} s; peak memory {peak_megabytes():.0f} MB"
            )


if __name__ == "__main__":
    main()
