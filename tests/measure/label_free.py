"""Which reading of the layers, without any label, agrees best with people?

    python -m tests.measure.label_free READINGS

compares the readings below on every set and backbone that `tests.measure.readings` has kept, and chooses for every
set the one that agrees best on average over the other sets. A reading uses nothing but the judgment's own states, so
that each could be what `score` returns without fitted weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lager_lite.scoring import direct, e_score, expected, softmax
from lager_lite.stats import agreement
from tests.measure.pages import put
from tests.measure.readings import Kept, load_readings

Reading = Callable[[Kept], np.ndarray]
# Sets whose items are after the same texts: neither may choose for the other.
FAMILIES = {"emotions": "dialogues", "eq-bench": "dialogues"}


def _averaged(lens: str, first: float, over: str) -> Reading:
    """The mean over the states from a share of the depth on, of logits or of probabilities."""

    def reading(kept: Kept) -> np.ndarray:
        logits = {"raw": kept.raw, "norm": kept.norm}[lens].astype(np.float64)
        part = logits[:, int(np.ceil(first * (logits.shape[1] - 1))) :]
        p = softmax(part.mean(axis=1)) if over == "logits" else softmax(part).mean(axis=1)
        return expected(p, kept.values)

    return reading


def _one_spread(kept: Kept, first: float) -> np.ndarray:
    """The mean (n, K) over the states from the share `first` on of logits under the norm lens, each state's logits brought
    to one spread."""
    logits = kept.norm.astype(np.float64)
    part = logits[:, int(np.ceil(first * (logits.shape[1] - 1))) :]
    part = part - part.mean(axis=2, keepdims=True)
    return np.asarray((part / np.maximum(part.std(axis=2, keepdims=True), 1e-9)).mean(axis=1))


def _centred(first: float) -> Reading:
    """The mean over upper states of logits under the norm lens, each state's logits brought to one spread."""

    def reading(kept: Kept) -> np.ndarray:
        return expected(softmax(_one_spread(kept, first)), kept.values)

    return reading


def _slope(kept: Kept) -> np.ndarray:
    """How the last state's logits rise with the labels' values, without a softmax."""
    logits = kept.norm[:, -1].astype(np.float64)
    return logits @ (kept.values - kept.values.mean())


def _slopes(first: float) -> Reading:
    """The same over upper states, each state's logits brought to one spread."""

    def reading(kept: Kept) -> np.ndarray:
        return np.asarray(_one_spread(kept, first) @ (kept.values - kept.values.mean()))

    return reading


def _softened(temperature: float) -> Reading:
    """The expected score of the last state's logits divided by a temperature, so that no label holds everything."""
    return lambda kept: expected(softmax(kept.norm[:, -1].astype(np.float64) / temperature), kept.values)


READINGS: Mapping[str, Reading] = {
    "direct": lambda kept: direct(kept.norm[:, -1], kept.values),
    "e_score": lambda kept: e_score(kept.norm[:, -1], kept.values),
    "uniform (raw, all layers)": _averaged("raw", 0, "logits"),
    "raw, upper half": _averaged("raw", 1 / 2, "logits"),
    "raw, last third": _averaged("raw", 2 / 3, "logits"),
    "norm, all layers": _averaged("norm", 0, "logits"),
    "norm, upper half": _averaged("norm", 1 / 2, "logits"),
    "norm, last third": _averaged("norm", 2 / 3, "logits"),
    "norm, last sixth": _averaged("norm", 5 / 6, "logits"),
    "probabilities, all layers": _averaged("norm", 0, "probabilities"),
    "probabilities, upper half": _averaged("norm", 1 / 2, "probabilities"),
    "probabilities, last third": _averaged("norm", 2 / 3, "probabilities"),
    "probabilities, last sixth": _averaged("norm", 5 / 6, "probabilities"),
    "equal spread, last third": _centred(2 / 3),
    "e_score, temperature 2": _softened(2.0),
    "e_score, temperature 5": _softened(5.0),
    "slope, last layer": _slope,
    "slope, last third": _slopes(2 / 3),
}


def _both_wordings(kept: Kept, letters: Kept) -> np.ndarray:
    """The mean of the expected scores under digits and under letters, which are other words and other labels."""
    return np.asarray((e_score(kept.norm[:, -1], kept.values) + e_score(letters.norm[:, -1], letters.values)) / 2)


def _contrast(kept: Kept, bare: Kept) -> np.ndarray:
    """The expected score of the last state's logits less those without the text that the response is about."""
    logits = kept.norm[:, -1].astype(np.float64) - bare.norm[:, -1]
    return expected(softmax(logits), kept.values)


# Readings that need a second reading of every item, by what its set is called after the plus.
TWOFOLD: Mapping[str, tuple[str, Callable[[Kept, Kept], np.ndarray]]] = {
    "e_score, two wordings averaged": ("letters", _both_wordings),
    "e_score, less the same without the text": ("bare", _contrast),
}


def compared(kept: Kept, second: Mapping[str, Kept] | None = None) -> dict[str, float]:
    """By reading, the mean over the criteria of its Spearman correlation with people; 0 where it is constant.

    second: further readings of the same judgments by the names of TWOFOLD; what needs one that is not there is absent.
    """
    scored = {name: reading(kept) for name, reading in READINGS.items()}
    for name, (other, twofold) in TWOFOLD.items():
        if second and other in second:
            assert list(second[other].item) == list(kept.item)
            scored[name] = twofold(kept, second[other])
    found = {}
    for name, scores in scored.items():
        parts = [kept.criterion == criterion for criterion in sorted(set(kept.criterion))]
        each = [agreement(scores[part], kept.human[part]).spearman for part in parts]
        found[name] = float(np.mean([value or 0.0 for value in each]))
    return found


def chosen_elsewhere(table: Mapping[tuple[str, str], Mapping[str, float]]) -> dict[str, str]:
    """For every set, the reading with the highest mean over the other sets; table: by (backbone, set)."""
    sets = sorted({name for _, name in table})
    found = {}
    for held in sets:
        family = FAMILIES.get(held, held)
        others = [row for (_, name), row in table.items() if FAMILIES.get(name, name) != family]
        if others:
            found[held] = max(READINGS, key=lambda reading: float(np.mean([row[reading] for row in others])))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readings", type=Path)
    parser.add_argument("--page", type=Path, help="Put the result in its place on this page (evidence.md), too.")
    given = parser.parse_args(arguments)
    table = {}
    for path in sorted(given.readings.glob("*/*.npz")):
        if "+" not in path.stem:
            seconds = {p.stem.partition("+")[2]: load_readings(p) for p in path.parent.glob(f"{path.stem}+*.npz")}
            table[path.parent.name, path.stem] = compared(load_readings(path), seconds)
    text = "\n".join([*_lines(table), *_choices(table)])
    print(text)
    if given.page is not None:
        put(given.page, "labelfree", text)


def _lines(table: Mapping[tuple[str, str], Mapping[str, float]]) -> Iterator[str]:
    """Two tables: the mean of every reading by backbone and by set, and the readings that need a second one."""
    backbones, sets = (list(dict.fromkeys(key[place] for key in table)) for place in (0, 1))
    yield "| reading | " + " | ".join([*backbones, *sets]) + " | all |"
    yield "| --- |" + " ---: |" * (len(backbones) + len(sets) + 1)
    for name in READINGS:
        parts = [[row[name] for key, row in table.items() if one in key] for one in (*backbones, *sets)]
        parts.append([row[name] for row in table.values()])
        yield f"| {name} | " + " | ".join(f"{np.mean(part):.3f}" for part in parts) + " |"
    twice = [(key, row, name) for name in TWOFOLD for key, row in table.items() if name in row]
    if twice:
        yield ""
        yield "| backbone, set | reading | it | e_score |"
        yield "| --- | --- | ---: | ---: |"
    for (backbone, one), row, name in twice:
        yield f"| {backbone}, {one} | {name} | {row[name]:.3f} | {row['e_score']:.3f} |"


def _choices(table: Mapping[tuple[str, str], Mapping[str, float]]) -> Iterator[str]:
    """For every set, what the reading that was chosen on the other sets reaches on it, beside the usual ones."""
    yield ""
    for held, name in chosen_elsewhere(table).items():
        mine = [row for (_, one), row in table.items() if one == held]
        shown = ", ".join(
            f"{reading} {np.mean([row[reading] for row in mine]):.3f}"
            for reading in dict.fromkeys((name, "direct", "e_score", "uniform (raw, all layers)"))
        )
        yield f"- held out {held}; chosen on the other sets: {shown}"


if __name__ == "__main__":
    main()
