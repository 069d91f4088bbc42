"""The states of every layer at the judging position, read once and kept: what the study of agreement computes from.

    python -m tests.measure.readings default newsroom --models MODELS --readings READINGS

reads one set with one backbone into READINGS/<backbone>/<set>.npz. A run that was interrupted goes on where it
stopped. `Kept` describes the arrays; LAGER_LITE_DATA names the folder of the public sets.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from lager_lite.backbones.locate import locate_model
from lager_lite.judging.judge import Judge
from lager_lite.llama.options import BackendOptions
from lager_lite.records import Head, Item
from lager_lite.scoring.readout import label_mass, layer_logits
from lager_lite.system.files import write_beside
from tests.measure.backbones import NAMES, backbone_path
from tests.measure.sets import SETS, Asked, StudySet

WINDOW = 96


@dataclass(frozen=True)
class Kept:
    """One set read with one backbone: n judgments, S states of width d, K labels.

    - `states`: float16 (n, S, d), every state divided by its root mean square; state 0 first.
    - `rms`: float32 (n, S), those root mean squares: `states * rms[..., None]` are the raw block outputs.
    - `raw`: float32 (n, S, K), the layer logits under the raw lens, as the program computes them.
    - `norm`: float32 (n, S, K), the same under the norm lens.
    - `rows`: float32 (K, d), the rows of the output matrix that belong to the labels.
    - `norm_weight`: float32 (d,), the gain of the output norm.
    - `norm_eps`: float64 (), what the norm adds to the variance.
    - `mass`: float64 (n,), the share of the vocabulary's probability that the labels hold at the last state.
    - `labels`: str (K,), how each score is written.
    - `values`: float64 (K,), what each label is worth, ascending.
    - `human`: float64 (n,), the mean of the scores that people (or GPT-4) gave.
    - `people`: float64 (n, P), the single scores; NaN where there are fewer than P.
    - `item`: str (n,), the items' ids.
    - `criterion`: str (n,), the names of the criteria.
    - `group`: str (n,), what folds never split.
    - `system`: str (n,), who wrote the response; "" where the set does not say.
    - `length`: float64 (n,), the words of the response (of the question, where there is no response).
    - `response`: str (n,), the text that is judged.
    - `source`: str (n,), what it was made from: the article, the instruction or the dialogue; may be empty.
    - `tokens`: int64 (n,), the length of the prompt in tokens.
    """

    states: np.ndarray
    rms: np.ndarray
    raw: np.ndarray
    norm: np.ndarray
    rows: np.ndarray
    norm_weight: np.ndarray
    norm_eps: np.ndarray
    mass: np.ndarray
    labels: np.ndarray
    values: np.ndarray
    human: np.ndarray
    people: np.ndarray
    item: np.ndarray
    criterion: np.ndarray
    group: np.ndarray
    system: np.ndarray
    length: np.ndarray
    response: np.ndarray
    source: np.ndarray
    tokens: np.ndarray


_SHARED = ("rows", "norm_weight", "norm_eps", "labels", "values")


def load_readings(path: str | Path) -> Kept:
    """What `read_set` has written."""
    with np.load(path) as file:
        return Kept(**{field.name: file[field.name] for field in fields(Kept)})


def read_set(judge: Judge, study_set: StudySet, out: Path, *, seconds: float = math.inf) -> Kept | None:
    """Read every judgment of a set, window by window, each window kept in a file of its own until all are there.

    Returns None where the time was up before the set was whole; the next call goes on.
    """
    asked = sorted(study_set.asked(judge.rubrics), key=lambda one: (one.item.group or one.item.id, one.item.id))
    parts = out.parent / f"{out.stem}.parts"
    parts.mkdir(parents=True, exist_ok=True)
    names = []
    begin = time.monotonic()
    for number, window in enumerate(_windows(asked)):
        name = parts / f"{number:04}.npz"
        names.append(name)
        if not name.exists():
            if time.monotonic() - begin > seconds:
                return None
            start = time.monotonic()
            arrays = _read(judge, window)
            _write(name, arrays)
            spent = time.monotonic() - start
            print(f"{out.stem} {number}: {len(window)} judgments, {spent:.0f} s", file=sys.stderr, flush=True)
    loaded = [dict(np.load(name)) for name in names]
    joined = {key: loaded[0][key] if key in _SHARED else _stack([part[key] for part in loaded]) for key in loaded[0]}
    _write(out, joined)
    for name in names:
        name.unlink()
    parts.rmdir()
    return load_readings(out)


def unit_states(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States (..., d) divided by their root mean square, as float16, and those, float32 (...)."""
    exact = np.asarray(states, dtype=np.float64)
    rms = np.sqrt(np.mean(exact * exact, axis=-1))
    return (exact / np.maximum(rms, 1e-12)[..., None]).astype(np.float16), rms.astype(np.float32)


def rebuilt_logits(kept: Kept, head: Head) -> tuple[np.ndarray, np.ndarray]:
    """The layer logits (raw, norm) that follow from the kept states."""
    return layer_logits(kept.states.astype(np.float32) * kept.rms[..., None], head)


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    write_beside(path, lambda file: np.savez(file, **arrays))


def _read(judge: Judge, window: Sequence[Asked]) -> dict[str, np.ndarray]:
    tasks = [judge.encode(one.item, one.rubric) for one in window]
    for task in tasks:
        if task.prompt is None:
            raise SystemExit(f"item {task.item.id} cannot be read: {task.error}")
    prompts = [task.prompt.tokens for task in tasks if task.prompt is not None]
    heads = {rubric.name: judge.file.head(list(judge.labels[rubric.name].ids)) for rubric in judge.rubrics}
    rows: dict[int, dict[str, np.ndarray]] = {}
    with judge.backbone.context(max(map(len, prompts))) as context:
        for group in context.evaluate(prompts):
            assert group.logits is not None
            for row, index in enumerate(group.prompts):
                name = tasks[index].rubric.name
                raw, norm = layer_logits(group.states[row], heads[name])
                states, rms = unit_states(group.states[row])
                mass = label_mass(group.logits[row], list(judge.labels[name].ids))
                rows[index] = {"states": states, "rms": rms, "raw": raw, "norm": norm, "mass": np.array(mass)}
    arrays = {key: np.stack([rows[i][key] for i in range(len(window))]) for key in rows[0]}
    rubric = judge.rubrics[0]
    head = heads[rubric.name]
    gain = np.ones(head.rows.shape[1], np.float32) if head.norm_weight is None else head.norm_weight
    most = max(len(one.scores) for one in window)
    people = np.array([[*one.scores, *[np.nan] * (most - len(one.scores))] for one in window])
    return {
        **arrays,
        "rows": head.rows,
        "norm_weight": gain,
        "norm_eps": np.array(head.norm_eps),
        "labels": np.array(rubric.scale.labels),
        "values": np.array(rubric.scale.values),
        "human": np.array([float(np.mean(one.scores)) for one in window]),
        "people": people,
        "item": np.array([one.item.id for one in window]),
        "criterion": np.array([one.rubric.name for one in window]),
        "group": np.array([one.item.group or one.item.id for one in window]),
        "system": np.array([one.system for one in window]),
        "length": np.array([float(len(one.text.split())) for one in window]),
        "response": np.array([one.text for one in window]),
        "source": np.array([source_of(one.item) for one in window]),
        "tokens": np.array([len(prompt) for prompt in prompts]),
    }


def source_of(item: Item) -> str:
    """What the response was made from: the article, dialogue or instruction; "" where the item has none."""
    if "response" not in item.fields and "source" not in item.fields:
        return ""
    return item.fields.get("source", item.fields.get("instruction", ""))


def _windows(asked: Sequence[Asked]) -> Iterator[list[Asked]]:
    """The judgments in pieces of about WINDOW, no group split, so that what its prompts share is read once."""
    window: list[Asked] = []
    for place, one in enumerate(asked):
        group = one.item.group or one.item.id
        if len(window) >= WINDOW and group != (asked[place - 1].item.group or asked[place - 1].item.id):
            yield window
            window = []
        window.append(one)
    if window:
        yield window


def _stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    if parts[0].ndim == 2 and len({part.shape[1] for part in parts}) > 1:  # `people` of windows with fewer scores
        most = max(part.shape[1] for part in parts)
        parts = [np.pad(part, ((0, 0), (0, most - part.shape[1])), constant_values=np.nan) for part in parts]
    return np.concatenate(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone", help=f"The default model, one of {', '.join(NAMES)}, or a GGUF file.")
    parser.add_argument("sets", nargs="+", choices=list(SETS))
    parser.add_argument("--models", type=Path, default=os.environ.get("LAGER_LITE_MODELS"))
    parser.add_argument("--readings", type=Path, required=True, help="Folder to write to.")
    parser.add_argument("--name", help="Folder of the backbone inside it; its name by default.")
    parser.add_argument("--minutes", type=float, default=math.inf, help="Stop after about that long.")
    parser.add_argument("-t", "--threads", type=int)
    given = parser.parse_args(arguments)
    data = Path(os.environ["LAGER_LITE_DATA"])
    if given.backbone in NAMES:
        model = backbone_path(given.backbone, given.models)
    else:
        model = locate_model(None if given.backbone == "default" else given.backbone).path
    for name in given.sets:
        out = given.readings / (given.name or given.backbone) / f"{name}.npz"
        if out.exists():
            continue
        study_set = SETS[name](data)
        with Judge(model, rubric=study_set.rubrics, options=BackendOptions(threads=given.threads)) as judge:
            kept = read_set(judge, study_set, out, seconds=60 * given.minutes)
            if kept is None:
                return
            rebuilt = rebuilt_logits(kept, judge.file.head(list(judge.labels[judge.rubrics[0].name].ids)))
        far = [float(np.abs(a - b).max()) for a, b in zip(rebuilt, (kept.raw, kept.norm))]
        print(
            f"{out}: {len(kept.human)} judgments, states {kept.states.shape}, logits rebuilt within {far}", flush=True
        )


if __name__ == "__main__":
    main()
