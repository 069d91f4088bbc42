"""Options that several commands share, each written once."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import click

from ..backbones import locate_model, open_model
from ..judging import OVERFLOW, TEMPERATURE, Judge, Reasoning, Store
from ..llama import (
    CACHE_TYPES,
    CPU_BATCH,
    FLASH_ATTENTION,
    GPU_BATCH,
    SPLIT_MODES,
    BackendOptions,
    check_loads,
    parse_servers,
)
from ..prompts import ChatTemplate, Rubric, load_rubric, resolve_chat, with_scale
from ..scaleout import Cluster, Shard, parse_shard, spread
from ..scoring import WeightsFile, load_weights
from ..system import is_refusing, refusing, store_path


class GpuLayers(click.ParamType):
    """A number, "auto" or "all"."""

    name = "N|auto|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value in ("auto", "all"):
            return value
        try:
            return int(value)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is not a number, auto or all", param, ctx)


class Servers(click.ParamType):
    """A list host:port,host:port."""

    name = "HOST:PORT[,...]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        try:
            return value if isinstance(value, tuple) else parse_servers(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ShardOf(click.ParamType):
    """A shard i/n."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        try:
            return value if isinstance(value, Shard) else parse_shard(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class RayAddress(click.ParamType):
    """local, auto, or the address of a cluster."""

    name = "ADDRESS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in ("local", "auto") or ":" in value:
            return value
        self.fail(f"{value!r} is no address: expected local, auto, HOST:PORT or ray://HOST:PORT", param, ctx)


_BATCH = f"Default: {CPU_BATCH}, on a GPU {GPU_BATCH}."
_BACKEND = [
    click.option(
        "-m",
        "--model",
        help="GGUF file, hf:user/repo[:quant], ollama:name[:tag], lmstudio:publisher/model[:quant], or a name of "
        "`models catalog`. Default: LAGER_LITE_MODEL, else the packaged model.",
    ),
    click.option(
        "-ngl", "--gpu-layers", type=GpuLayers(), default="auto", show_default=True, help="Blocks on the GPU."
    ),
    click.option("-sm", "--split-mode", type=click.Choice(list(SPLIT_MODES)), default="layer", show_default=True),
    click.option("-mg", "--main-gpu", type=int, default=0, show_default=True),
    click.option("--rpc", type=Servers(), default=(), help="Servers whose devices to use too; needs --online."),
    click.option("-c", "--ctx-size", type=click.IntRange(0), default=0, help="Longest prompt in tokens; 0: as needed."),
    click.option("-b", "--batch-size", type=click.IntRange(1), help=f"Tokens in one decode. {_BATCH}"),
    click.option("-ub", "--ubatch-size", type=click.IntRange(1), help=f"Tokens in one graph. {_BATCH}"),
    click.option("-t", "--threads", type=click.IntRange(1), help="Default: the cores this process may use."),
    click.option("-fa", "--flash-attn", type=click.Choice(list(FLASH_ATTENTION)), default="auto", show_default=True),
    click.option("-ctk", "--cache-type-k", type=click.Choice(list(CACHE_TYPES)), default="f16", show_default=True),
    click.option(
        "-ctv", "--cache-type-v", type=click.Choice(["auto", *CACHE_TYPES]), default="auto", show_default=True
    ),
    click.option("--exact", is_flag=True, help="Short for -fa off -ctk f32 -ctv f32."),
    click.option("-v", "--verbose", is_flag=True, help="Show llama.cpp's log."),
    click.option(
        "--offline/--online",
        default=True,
        show_default=True,
        expose_value=False,
        is_eager=True,
        callback=lambda ctx, _, value: ctx.with_resource(refusing(value)),
        help="Refuse every network socket of this process.",
    ),
    click.option(
        "--guard/--no-guard",
        default=True,
        show_default=True,
        envvar="LAGER_LITE_GUARD",
        show_envvar=True,
        help="Load an unknown file in a child process first, which may die of it.",
    ),
]
_CHAT = [
    click.option("--chat-template", help='Jinja text in place of the model\'s own; "none" for plain text.'),
    click.option("--chat-template-file", type=click.Path(dir_okay=False)),
    click.option("--chat-template-kwargs", metavar="JSON", help='For instance {"enable_thinking": false}.'),
]
_JUDGE = [
    click.option(
        "-r", "--rubric", "rubrics", multiple=True, help="Name or TOML file; repeat for several. [default: default]"
    ),
    click.option("--scale", help="Another scale for the rubrics, for instance 0-4 or A-E."),
    click.option(
        "--overflow", type=click.Choice(OVERFLOW), default="error", show_default=True, help="Prompts that are too long."
    ),
    click.option("--store", "store_path", type=click.Path(dir_okay=False), help="Default: in the user's cache folder."),
    click.option("--no-store", "--no-cache", is_flag=True, help="Neither read nor write the store."),
]
_WEIGHTS = [
    click.option("-w", "--weights", type=click.Path(dir_okay=False), help="Weights file made by lager-lite fit."),
    click.option("--force", is_flag=True, help="Use weights of another backbone or rubric where that can work."),
]
_DATA = [
    click.option("--map", "mapping", multiple=True, metavar="FIELD=KEY", help="Where a field stands in your rows."),
    click.option("--layout", help="Layout of the file. Default: detected."),
]

_REASON = [
    click.option(
        "--reason", type=click.IntRange(1), metavar="N", help="Write up to N tokens of feedback before every score."
    ),
    click.option(
        "--votes",
        type=click.IntRange(1),
        help="Feedback texts per judgment; their layer logits are averaged.  [default: 1]",
    ),
    click.option(
        "--temperature",
        type=click.FloatRange(0),
        help=f"Of the feedback; 0: the likeliest text.  [default: 0, with votes {TEMPERATURE}]",
    ),
    click.option("-s", "--seed", type=int, default=0, show_default=True, help="Of all that is drawn by chance."),
]


def _with(options: list[Callable]) -> Callable:
    def decorate(function: Callable) -> Callable:
        return functools.reduce(lambda inner, option: option(inner), reversed(options), function)

    return decorate


backend_options = _with(_BACKEND)
chat_options = _with(_CHAT)
judge_options = _with(_BACKEND + _JUDGE + _CHAT)
weighted_options = _with(_BACKEND + _JUDGE + _WEIGHTS + _CHAT)
data_options = _with(_DATA)
reason_options = _with(_REASON)
report_option = click.option("--report", type=click.Path(dir_okay=False), help="Write a page with figures (HTML).")
_CLUSTER = [
    click.option(
        "--ray",
        "ray",
        type=RayAddress(),
        is_flag=False,
        flag_value="local",
        help="Evaluate on workers of a Ray cluster: local (also without ADDRESS) starts one, auto finds one; needs --online.",
    ),
    click.option("--workers", type=click.IntRange(1), help="With --ray: processes that load the model."),
    click.option(
        "--gpus-per-worker", type=click.FloatRange(0), help="With --ray; a part of one is possible.  [default: 0]"
    ),
    click.option("--threads-per-worker", type=click.IntRange(1), help="With --ray.  [default: 1]"),
]
cluster_options = _with(_CLUSTER)
shard_option = click.option("--shard", type=ShardOf(), help="Only part I of N, by group: run every part, then merge.")


def cluster_settings(given: dict[str, Any]) -> Cluster | None:
    """The Ray cluster from parsed options, None without --ray."""
    if given["ray"] is None:
        alone = [name for name in ("workers", "gpus_per_worker", "threads_per_worker") if given[name] is not None]
        if alone:
            raise click.UsageError(f"--{alone[0].replace('_', '-')} belongs to --ray: give both")
        return None
    if given["workers"] is None:
        raise click.UsageError("--ray needs --workers N")
    for name, option in (("threads", "-t"), ("rpc", "--rpc"), ("reason", "--reason")):
        if given[name]:
            instead = ": give --threads-per-worker" if name == "threads" else ""
            raise click.UsageError(f"{option} and --ray exclude each other{instead}")
    if is_refusing():
        raise click.UsageError("--ray talks to other processes over the network: give --online too")
    return Cluster(given["workers"], given["gpus_per_worker"] or 0, given["threads_per_worker"] or 1, given["ray"])


def backend_settings(given: dict[str, Any]) -> BackendOptions:
    """BackendOptions from parsed options."""
    names = (
        "gpu_layers",
        "split_mode",
        "main_gpu",
        "ctx_size",
        "batch_size",
        "ubatch_size",
        "threads",
        "verbose",
        "rpc",
    )
    chosen = {name: given[name] for name in names}
    if given["rpc"] and is_refusing():
        raise click.UsageError("--rpc connects to other machines: give --online too")
    if given["exact"]:
        return BackendOptions.exact(**chosen)
    kinds = ("flash_attn", "cache_type_k", "cache_type_v")
    if given["flash_attn"] == "off" and given["cache_type_v"] not in ("auto", "f32", "f16", "bf16"):
        raise click.UsageError("a quantized -ctv needs flash attention: leave out -fa off")
    return BackendOptions(**chosen, **{name: given[name] for name in kinds})


def chat_settings(given: dict[str, Any], model: str) -> ChatTemplate:
    """The chat template from parsed options and the model file."""
    try:
        kwargs = json.loads(given["chat_template_kwargs"] or "{}")
    except ValueError as error:
        raise click.UsageError(f"--chat-template-kwargs is not JSON: {error}") from None
    if not isinstance(kwargs, dict):
        raise click.UsageError("--chat-template-kwargs must be a JSON object")
    if given["chat_template"] is not None and given["chat_template_file"] is not None:
        raise click.UsageError("give --chat-template or --chat-template-file, not both")
    info = open_model(model).info
    return resolve_chat(
        info.chat_template,
        text=given["chat_template"],
        file=given["chat_template_file"],
        special={"bos_token": info.bos_text, "eos_token": info.eos_text},
        kwargs=kwargs,
    )


def open_store(given: dict[str, Any]) -> Store | None:
    """The store from parsed options, with its notice shown."""
    if given["no_store"]:
        if given["store_path"]:
            raise click.UsageError("give --store or --no-store, not both")
        return None
    store = Store(given["store_path"] or store_path())
    if store.notice:
        click.echo(f"Warning: {store.notice}", err=True)
    return store


def chosen_rubrics(given: dict[str, Any]) -> list[Rubric]:
    """The rubrics from parsed options, on another scale where one is given."""
    rubrics = [load_rubric(name) for name in given["rubrics"] or ("default",)]
    return [with_scale(r, given["scale"]) for r in rubrics] if given["scale"] else rubrics


def reasoning_settings(given: dict[str, Any]) -> Reasoning | None:
    """What --reason and its companions ask for; None where a command has no such options."""
    votes, temperature = given.get("votes"), given.get("temperature")
    if given.get("reason") is None:
        if votes is not None or temperature is not None:
            raise click.UsageError("--votes and --temperature are about feedback: give --reason N too")
        return None
    if temperature is None:
        temperature = TEMPERATURE if (votes or 1) > 1 else 0.0
    if temperature == 0 and (votes or 1) > 1:
        raise click.UsageError(f"at temperature 0 all {votes} votes are the same: leave out --temperature or --votes")
    return Reasoning(given["reason"], votes or 1, temperature, given["seed"])


@contextmanager
def open_judge(
    given: dict[str, Any], weights: WeightsFile | None = None, *, cluster: Cluster | None = None, **more: Any
) -> Iterator[Judge]:
    """A judge from parsed options, spread over the cluster where one is given; it and its store are
    closed at the end."""
    spread_options = backend_settings(given)
    options = cluster.here(spread_options) if cluster else spread_options
    more.setdefault("reasoning", reasoning_settings(given))
    store = open_store(given)
    try:
        model = str(locate_model(given["model"]).path)
        chat = chat_settings(given, model)
        if given["guard"]:
            check_loads(model, options)
        with Judge(
            model,
            rubric=chosen_rubrics(given),
            weights=weights,
            options=options,
            store=store,
            overflow=given["overflow"],
            chat=chat,
            **more,
        ) as judge:
            for warning in judge.warnings:
                click.echo(f"Warning: {warning}", err=True)
            with spread(judge, cluster, spread_options) if cluster else nullcontext():
                yield judge
    finally:
        if store is not None:
            store.close()


def open_weighted(given: dict[str, Any]) -> AbstractContextManager[Judge]:
    """As `open_judge`, with the weights of -w where they were given."""
    weights = load_weights(given["weights"]) if given["weights"] else None
    return open_judge(given, weights, force=given["force"])
