"""Human-scored items as arrays, which fitting and evaluation start from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import codes_for_missing, codes_in_words, counted, group_names
from ..errors import Advice, DataError, FitError, give_mapped, name_key
from ..judging import Judge
from ..prompts import Rubric, describe_scale, scale_for
from ..records import BOTH_LENSES, Counts, Item, ItemId, both_lenses, id_for_results
from .folds import folds_for_ranks, group_folds
from .states import STATES


@dataclass(frozen=True)
class Labelled:
    """n judgments with human scores; one item gives one judgment for each rubric that it has a score for.

    raw, norm: layer logits under either lens, float32 (n, S, K).
    human: mean human score, float64 (n,).
    individual: the scores that `human` is the mean of, one tuple per judgment.
    criterion: name of the rubric, str (n,).
    group: what folds never split, str (n,): the item's group as it was first spelled, or its id where it has none.
    item: the item's id, str (n,).
    values: of the scale's labels, float64 (K,) ascending.
    failed: (item id, reason) of judgments that were left out because there is no reading.
    items: the item of every judgment, with its texts; empty where the texts are not known.
    states: float16 (n, S, n_embd), see `Reading.states`; None unless the judge reads them.
    """

    raw: np.ndarray
    norm: np.ndarray
    human: np.ndarray
    individual: tuple[tuple[float, ...], ...]
    criterion: np.ndarray
    group: np.ndarray
    item: np.ndarray
    values: np.ndarray
    failed: tuple[tuple[str, str], ...]
    items: tuple[Item, ...] = ()
    states: np.ndarray | None = None

    @property
    def ids(self) -> tuple[ItemId, ...]:
        """The ids as the rows have them, where numbers are numbers; as text where the items are not known."""
        return tuple(id_for_results(item.id) for item in self.items) or tuple(map(str, self.item))

    def lens(self, name: str) -> np.ndarray:
        """The layer logits (n, S, K) under the lens `name`, or of both, (n, S, 2K). Raises KeyError for another."""
        return both_lenses(self.raw, self.norm) if name == BOTH_LENSES else {"raw": self.raw, "norm": self.norm}[name]

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """What `cross_validate` reads: the layer logits by lens, and the states where there are any."""
        states = {} if self.states is None else {STATES: self.states}
        return {"raw": self.raw, "norm": self.norm, **states}


def select_judgments(data: Labelled, rows: np.ndarray) -> Labelled:
    """Some of the judgments; rows: their numbers, int (m,)."""
    chosen: dict[str, Any] = {name: getattr(data, name)[rows] for name in ("raw", "norm", "human", "criterion")}
    chosen.update({name: getattr(data, name)[rows] for name in ("group", "item")})
    return replace(
        data,
        **chosen,
        individual=tuple(data.individual[row] for row in rows),
        items=tuple(data.items[row] for row in rows) if data.items else (),
        states=None if data.states is None else data.states[rows],
    )


def ids_digest(ids: Iterable[str]) -> str:
    """A digest of a set of item ids, 32 hex digits; order and repetitions do not matter."""
    text = "\n".join(sorted(set(ids)))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def labelled_items(items: Iterable[Item], rubrics: Iterable[str]) -> list[Item]:
    """The items with a human score for one of the rubrics, by name (see `Item.scores_for`)."""
    names = tuple(rubrics) or ("",)
    return [item for item in items if any(item.scores_for(name) for name in names)]


def grouped(items: Sequence[Item]) -> list[str]:
    """The name of each item's group, as it was first spelled among the items; an item without one has its id."""
    return group_names((item.group for item in items), (str(item.id) for item in items))


def gather(judge: Judge, items: Sequence[Item], progress: Callable[[Counts], None] | None = None) -> Labelled:
    """Read every item under every rubric of `judge` for which it has a human score.

    items: a rubric takes the score of its own name in any capitals, else the one unnamed score of an item.
    progress: called with the counts so far after each batch; None: no reports.

    Raises DataError as `check_human_scores` does, before anything is evaluated, and where no judgment could be read.
    """
    check_human_scores(items, judge.rubrics)
    values = judge.rubrics[0].scale.values
    rows, failed = [], []
    items = labelled_items(items, (rubric.name for rubric in judge.rubrics))
    for item, rubric, reading in judge.read(items, progress=progress):
        scores = item.scores_for(rubric.name)
        if not scores:
            continue
        if isinstance(reading, str):
            failed.append((str(item.id), reading))
            continue
        rows.append((reading, scores, rubric.name, item))
    whole = [reading.states for reading, *_ in rows if reading.states is not None]
    if not rows:
        first, reason = failed[0]
        raise DataError(
            f"none of {counted(len(failed), 'judgment')} with a human score could be read; item {first}: {reason}"
        )
    return Labelled(
        raw=np.stack([r.raw for r, *_ in rows]),
        norm=np.stack([r.norm for r, *_ in rows]),
        human=np.array([np.mean(s) for _, s, *_ in rows]),
        individual=tuple(tuple(s) for _, s, *_ in rows),
        criterion=np.array([c for _, _, c, _ in rows]),
        group=np.array(grouped([item for *_, item in rows])),
        item=np.array([str(item.id) for *_, item in rows]),
        values=np.asarray(values, dtype=np.float64),
        failed=tuple(failed),
        items=tuple(item for *_, item in rows),
        states=np.stack(whole) if len(whole) == len(rows) else None,
    )


def check_human_scores(
    items: Sequence[Item], rubrics: Sequence[Rubric], *, folds: int | None = None, fits: bool = False
) -> None:
    """Refuse human scores that the rubrics cannot use; no model is needed to know.

    folds: number of folds that the groups must fill, see `folds_for_ranks`; None: it does not matter.
    fits: whether weights must come out, so that no training part may have one score only.

    Raises DataError where the rubrics have different scales, where a rubric has no human score, and where a score
    lies outside the scale; FitError where the groups are fewer than the folds or the scores are all alike.
    """
    if len({rubric.scale for rubric in rubrics}) > 1:
        raise DataError("the rubrics have different scales", "fit them one by one, or put them on one scale")
    _check_present(items, rubrics)
    _check_scale(items, rubrics)
    labels = [
        (float(np.mean(scores)), item)
        for item in items
        for rubric in rubrics
        if (scores := item.scores_for(rubric.name))
    ]
    groups = np.array(grouped([item for _, item in labels]))
    if folds is not None:
        group_folds(groups, folds_for_ranks(folds, len(labels))[0], 0)
    if fits:
        _check_spread(np.array([label for label, _ in labels]), groups)


_NAMED_SCORES = Advice(
    "use -r with the names of the scores, or --map score=KEY",
    'use rubrics with the names of the scores, or mapping={"score": "KEY"}',
    "use rubrics with the names of the scores, or put the scores under the key score",
)


def _check_present(items: Sequence[Item], rubrics: Sequence[Rubric]) -> None:
    missing = [rubric.name for rubric in rubrics if not any(item.scores_for(rubric.name) for item in items)]
    if missing:
        named = sorted({name or "(unnamed)" for item in items for name in item.human})
        own = "; `score` in these rows is the judge's own" if any("judged" in item.keys for item in items) else ""
        raise DataError(
            f"no item has a human score for the rubric{'s' * (len(missing) > 1)} {', '.join(missing)}; scores found: {', '.join(named) or 'none'}{own}",
            _mapping_hint(items, missing) or (_NAMED_SCORES if named else name_key("score")),
        )


def _mapping_hint(items: Sequence[Item], names: Sequence[str]) -> str | Advice:
    """How to read the scores from keys that are named as the rubrics; empty where not every rubric has such a key."""
    keys = {key.casefold(): key for item in items for key in item.fields}
    if not all(name.casefold() in keys for name in names):
        return ""
    return give_mapped({f"score:{name}": keys[name.casefold()] for name in names})


def _check_spread(human: np.ndarray, groups: np.ndarray) -> None:
    """Raise FitError where one group holds every score but one value: the fold that leaves it out has no other."""
    values, counts = np.unique(human, return_counts=True)
    usual = values[np.argmax(counts)]
    others = np.unique(groups[human != usual])
    if others.size < 2:
        where = f" outside the group {str(others[0])!r}" if others.size else ""
        raise FitError(
            f"all human scores{where} are {usual:g}: weights cannot be fitted on one score alone",
            "label more items, some of them with other scores",
        )


def _check_scale(items: Sequence[Item], rubrics: Sequence[Rubric]) -> None:
    rubric = rubrics[0]
    low, high = rubric.scale.values[0], rubric.scale.values[-1]
    found = [s for item in items for r in rubrics for s in item.scores_for(r.name)]
    outside = [s for s in found if not low <= s <= high]
    if outside:
        codes = codes_for_missing(found, low, high)
        span = scale_for(min(found), max(found), whole=all(float(one).is_integer() for one in found))
        raise DataError(
            f"{len(outside)} of {counted(len(found), 'human score')} {'lies' if len(outside) == 1 else 'lie'} outside the scale {describe_scale(rubric.scale)} of rubric "
            f"{rubric.name!r}: they range from {min(found):g} to {max(found):g}",
            codes_in_words(codes, low, high)
            if codes
            else Advice(
                f"give the scale of the scores, for instance --scale {span}",
                f"give the rubric the scale of the scores, for instance {span}",
            ),
        )
