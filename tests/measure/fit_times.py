"""Seconds and memory that fitting takes, by kind of weights, on synthetic layer logits. A command, not a test:

python -m tests.measure.fit_times --items 100000 --states 33
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from lager_lite.fitting.fit import fit
from lager_lite.performance.workload import peak_megabytes
from lager_lite.records import WEIGHT_KINDS
from tests.fitting.fitting_data import layered


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1680)
    parser.add_argument("--states", type=int, default=31)
    parser.add_argument("--labels", type=int, default=5)
    given = parser.parse_args(arguments)
    logits, human, values, groups = layered(given.items, given.states, given.labels)
    made = peak_megabytes()
    print(f"{given.items} items, {given.states} states, {given.labels} labels; strength chosen in 5 folds")
    for kind in WEIGHT_KINDS:
        start = time.perf_counter()
        found = fit(logits, human, values, kind=kind, lens="raw", groups=groups)
        seconds = time.perf_counter() - start
        print(
            f"{kind:8} {seconds:6.2f} s, strength {found.strength}, loss {found.loss:.4f}, converged {found.converged}"
        )
    peak = peak_megabytes()
    if peak is not None and made is not None:
        print(f"peak memory {peak:.0f} MB, of which {made:.0f} MB were there before")


if __name__ == "__main__":
    main()
