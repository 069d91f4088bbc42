"""What commands open with their options: items, the store, and a judge."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ...backbones import locate_model, open_model
from ...data import ANSWER, RowSource, Source, counted, first_items, open_items, read_items
from ...errors import LagerError, StoreError
from ...judging import Judge, Reasoning, Store
from ...llama import (
    WOULD_UNPACK,
    BackendOptions,
    check_library,
    check_loads,
    copy_kind,
    gpu_layers,
    has_room,
    known_company,
    lack_of_room,
    load,
    say_new_copy,
    warn_company,
)
from ...prompts import Rubric, rubric_hash, with_feedback
from ...records import Item
from ...scaleout import Cluster, fill_store, spread
from ...scoring import WeightsFile, check_weights
from ...system import store_path
from ..show.progress import say, show_progress, show_stage
from ..show.stopping import nothing_is_stored
from ..show.terminal import show_evaluated, warn
from ..show.understood import show_understood, shown_fields
from .parsed import (
    Given,
    backend_settings,
    chat_settings,
    chosen_rubrics,
    chosen_weights,
    mapped_keys,
    reasoning_settings,
    scale_labels,
)


def read_given(
    path: str | RowSource,
    given: Given,
    *,
    limit: int | None = None,
    require: Sequence[str] = ("response",),
    need_scores: bool = True,
) -> tuple[Item, ...]:
    """The first `limit` items of a file, as --map, --layout, --ignore and --group say.

    What was understood of the file is shown on stderr. require: fields that every row must have.
    need_scores: as `open_reader`.
    """
    with show_stage(f"reading {path}"):
        dataset = read_items(
            path,
            mapping=mapped_keys(given),
            layout=given.get("layout"),
            require=require,
            need_scores=need_scores,
            **_how_read(given),
        )
    items, understood = tuple(first_items(dataset.items, limit)), dataset.understood
    if given.get("group"):
        from ...evaluation import regroup  # `score` needs nothing of that room, and starts without it

        items = regroup(items, given["group"])
        understood = understood and understood.regrouped(given["group"], items)
    if understood:
        show_understood(understood, _shown(given), used=_used(given), limit=limit)
    return items


def read_labelled(path: str, given: Given) -> tuple[Item, ...]:
    """The items of `read_given` that have a human score for the chosen rubrics.

    How many were left out is shown on stderr. Where none has a score, all are handed on.
    """
    from ...fitting import labelled_items  # `score` needs nothing of that room, and starts without it

    items = read_given(path, given, limit=given["limit"])
    labelled = labelled_items(items, (rubric.name for rubric in chosen_rubrics(given)))
    if labelled and len(labelled) < len(items):
        say(f"left out: {counted(len(items) - len(labelled), 'item')} without a human score")
    return tuple(labelled) or items


def open_given(path: str, given: Given, *, with_rows: bool = False, need_scores: bool = True) -> Source:
    """The items of a file one by one, as --map, --layout, --ignore, -n and --shard say.

    What was understood of the file is shown on stderr. with_rows, need_scores: as `open_items`.
    """
    shard = given.get("shard")
    keep = shard.holds if shard else None
    with show_stage(f"reading {path}"):
        source = open_items(
            path,
            mapped_keys(given),
            given["layout"],
            limit=given.get("limit"),
            keep=keep,
            need_scores=need_scores,
            with_rows=with_rows,
            **_how_read(given),
        )
    show_understood(source.understood, _shown(given), limit=given.get("limit"))
    if shard:
        say(f"shard {shard}: {counted(source.count, 'item')}")
    return source


def _how_read(given: Given) -> dict[str, Any]:
    """What a command's options say of reading, for `read_items` and `open_items`."""
    return {
        "encoding": given.get("encoding"),
        "labels": scale_labels(given),
        "ignore": given.get("ignore", ()),
        "keep_thoughts": given.get("keep_thoughts", False),
        "unit": given.get("unit", ANSWER),
    }


def _shown(given: Given) -> frozenset[str] | None:
    """The fields that the chosen rubrics show; None for a command without rubrics."""
    return shown_fields(chosen_rubrics(given)) if "rubrics" in given else None


def _used(given: Given) -> frozenset[str]:
    """The fields that options name for another use than to show them: groups, what is held out, and numbers of terms."""
    named = (given.get("group"), given.get("hold_out"), *(given.get("control") or ()), *(given.get("beside") or ()))
    return frozenset(name for name in named if name)


def open_store(given: Given) -> Store | None:
    """The store, with its notice shown; None with --no-store.

    Where nobody named it and it cannot be opened, a warning says so, and there is None.
    """
    if given["no_store"]:
        if given["store_path"]:
            raise click.UsageError("give --store or --no-store, not both")
        nothing_is_stored()
        return None
    named = bool(given["store_path"] or os.environ.get("LAGER_LITE_STORE"))
    try:
        store = Store(given["store_path"] or store_path(), optional=not named)
    except LagerError as error:
        if named:
            raise
        warn([f"{error.message}; this run goes on without a store, and cannot be resumed (--store PATH names one)"])
        nothing_is_stored()
        return None
    if store.notice:
        warn([store.notice])
    return store


@contextmanager
def open_judge(
    given: Given, weights: WeightsFile | None = None, *, cluster: Cluster | None = None, **more: Any
) -> Iterator[Judge]:
    """A judge, spread over the cluster where one is given. It and its store are closed at the end.

    more: as Judge takes it.
    """
    spread_options = backend_settings(given)
    options = cluster.here(spread_options) if cluster else spread_options
    more.setdefault("reasoning", reasoning_settings(given))
    more.setdefault("keep_thoughts", given.get("keep_thoughts", False))
    store = open_store(given)
    try:
        model = str(locate_model(given["model"]).path)
        more.update(chat=chat_settings(given, model), overflow=given["overflow"], options=options, store=store)
        if weights is not None:
            _check_weights(weights, model, chosen_rubrics(given), more["reasoning"], force=bool(more.get("force")))
        if given["guard"]:
            check_library()
        warn(filter(None, [lack_of_room(load(), options.gpu_layers, Path(model))]))
        layers = gpu_layers(load(), options.gpu_layers, Path(model))
        if new_copy := say_new_copy(load(), options, Path(model), layers):
            say(new_copy)
        with show_stage(f"loading {Path(model).name}"):
            if given["guard"]:
                _try_file(model, options)
            opened = Judge(model, rubric=chosen_rubrics(given), weights=weights, **more)
        with opened as judge:
            warn(judge.warnings)
            if options.steady and not judge.options.steady and cluster is None:
                say("--steady: nothing to do, since on this CPU no prompt's score depends on other prompts anyway")
            with spread(judge, cluster, spread_options) if cluster else nullcontext():
                yield judge
    finally:
        if store is not None:
            store.close()


def _try_file(model: str, options: BackendOptions) -> None:
    """Load a file in a child process where it is new here, and warn of what that shows. Raises what `check_loads` raises."""
    new = check_loads(model, options)
    layers = gpu_layers(load(), options.gpu_layers, Path(model))
    stock = not layers and load().unpack_version() is None
    warn(warn_company(known_company(model, options), steady=options.steady, stock=stock))
    if new and options.unpack == "auto" and has_room(load(), options, Path(model), layers):
        warn([] if copy_kind(load(), options, Path(model), layers) else [f"the weights are {WOULD_UNPACK}"])


def _check_weights(
    weights: WeightsFile, model: str, rubrics: Sequence[Rubric], reasoning: Reasoning | None, *, force: bool
) -> None:
    """Raise WeightsError where the weights are for another backbone, by the model file's header, scale or rubric."""
    info, then = open_model(model).info, weights.provenance
    asked = [with_feedback(rubric) for rubric in rubrics] if reasoning else rubrics
    now = replace(
        then,
        fingerprint=info.fingerprint,
        n_states=info.whole_blocks + 1,
        scale=asked[0].scale,
        rubrics={rubric.name: rubric_hash(rubric) for rubric in asked},
        settings={
            **{name: text for name, text in then.settings.items() if name != "feedback"},
            **(reasoning.settings() if reasoning else {}),
        },
    )
    check_weights(weights, now, force=force)


def open_weighted(given: Given, **more: Any) -> AbstractContextManager[Judge]:
    """As `open_judge`, with the weights of -w where they were given."""
    return open_judge(given, chosen_weights(given), force=given["force"], **more)


def fill_shard(given: Given, items: Sequence[Item], judges: Iterable[AbstractContextManager[Judge]]) -> None:
    """Read the items of --shard into the store with each of the judges, one after the other."""
    mine = [item for item in items if given["shard"].holds(item)]
    say(f"shard {given['shard']}: {counted(len(mine), 'item')}")
    for opened in judges:
        with opened as judge:
            with show_progress(len(mine) * len(judge.rubrics)) as progress:
                if judge.store is None:
                    raise StoreError("there is no store that --shard could fill", "name one with --store PATH")
                failed = fill_store(judge, mine, progress)
            show_evaluated(judge.counts, failed)
