"""Options that several commands share, each written once and handed out by one decorator."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...backbones import locate_model
from ...judging import OVERFLOW, TEMPERATURE
from ...llama import CACHE_TYPES, CPU_BATCH, FLASH_ATTENTION, GPU_BATCH, SPLIT_MODES
from ...system import refusing
from ..grammar import JsonOption, SharedOption
from ..outputs import NamedFile, OutputFile, store_of
from .types import FIELD_KEY, GPU_LAYERS, RAY_ADDRESS, SERVERS, SHARD, WEIGHTS

C = TypeVar("C", bound=Callable[..., Any])
_BATCH = f"The default is {CPU_BATCH}, on a GPU {GPU_BATCH}."
_FILE = click.Path(dir_okay=False)


def _option(heading: str, *names: str, **attributes: Any) -> Callable[[C], C]:
    return click.option(*names, cls=SharedOption, heading=heading, **attributes)


def _all(*decorators: Callable[[Any], Any]) -> Callable[[C], C]:
    """One decorator of several; options appear in the order in which they are named here."""

    def decorate(function: C) -> C:
        return functools.reduce(lambda inner, decorator: decorator(inner), reversed(decorators), function)

    return decorate


def limit_option(what: str = "items", *, at_least: int = 1, default: int | None = None) -> Callable[[C], C]:
    """`-n N`, which always limits how many items a command takes."""
    return _option(
        "Items",
        "-n",
        "--limit",
        type=click.IntRange(at_least),
        default=default,
        show_default=default is not None,
        metavar="N",
        help=f"Use only the first N {what}." if not what.endswith(".") else what,
    )


map_option = _option(
    "Items",
    "--map",
    "mapping",
    multiple=True,
    type=FIELD_KEY,
    help="Take FIELD from the key KEY of your rows, for instance response=answer. May be repeated.",
)
layout_option = _option(
    "Items", "--layout", help='Layout of the file: "rows", or the name of a public layout. By default it is detected.'
)
encoding_option = _option(
    "Items", "--encoding", metavar="NAME", help="Encoding of the file's text, for instance latin-1.  [default: utf-8]"
)
ignore_option = _option(
    "Items",
    "--ignore",
    multiple=True,
    metavar="KEY",
    help="Read the rows as if they had no such key; the name of a field stands for all its usual keys. May be repeated.",
)
items_options = _all(map_option, ignore_option, layout_option, encoding_option)
group_option = _option(
    "Items", "--group", metavar="FIELD", help="Keep items with the same text in FIELD on one side of every split."
)
shard_option = _option(
    "Items",
    "--shard",
    type=SHARD,
    help="Take only part I of N of the items, split by group. Run every part, then merge.",
)
weights_options = _all(
    _option(
        "Weights",
        "-w",
        "--weights",
        type=WEIGHTS,
        help="Use the layer weights of this file, made by `fit`, or those that ship under this name.",
    ),
    _option(
        "Weights", "--force", is_flag=True, help="Allow weights of another backbone or rubric where they can work."
    ),
)


def _rubric_option(default: str = "default", *, repeat: bool = True) -> Callable[[C], C]:
    again = " May be repeated." if repeat else ""
    return _option(
        "Prompt",
        "-r",
        "--rubric",
        "rubrics",
        multiple=True,
        metavar="RUBRIC",
        help=f"Name or TOML file of a rubric.{again}  [default: {default}]",
    )


rubric_option = _rubric_option()
chat_options = _all(
    _option(
        "Prompt", "--chat-template", help='Jinja text that replaces the model\'s chat template; "none" for plain text.'
    ),
    _option("Prompt", "--chat-template-file", type=_FILE, help="Read the chat template from this file."),
    _option(
        "Prompt",
        "--chat-template-kwargs",
        metavar="JSON",
        help='Values that the chat template uses, for instance {"enable_thinking": false}.',
    ),
)
_prompt_options = _all(
    _option("Prompt", "--scale", help="Put the rubrics on another scale, for instance 0-4 or A-E."),
    _option(
        "Prompt",
        "--overflow",
        type=click.Choice(OVERFLOW),
        default="error",
        show_default=True,
        help="What to do with a prompt that is too long.",
    ),
    chat_options,
)
reason_options = _all(
    _option(
        "Feedback",
        "--reason",
        type=click.IntRange(1),
        metavar="N",
        help="Let the model write up to N tokens of feedback before every score.",
    ),
    _option(
        "Feedback",
        "--votes",
        type=click.IntRange(1),
        help="Number of feedback texts per judgment; their layer logits are averaged.  [default: 1]",
    ),
    _option(
        "Feedback",
        "--temperature",
        type=click.FloatRange(0),
        help="Sampling temperature of the feedback; 0 always takes the most likely token.  "
        f"[default: 0, with several votes {TEMPERATURE}]",
    ),
)
seed_option = _option("Randomness", "-s", "--seed", type=int, default=0, show_default=True, help="Random seed.")


def folds_option(
    default: int | None = 5, help: str = "Number of folds for cross-validation, split by group."
) -> Callable[[C], C]:
    """`--cv FOLDS`."""
    return _option(
        "Folds", "--cv", "folds", type=click.IntRange(2), default=default, show_default=default is not None, help=help
    )


model_option = _option(
    "Backend",
    "-m",
    "--model",
    type=NamedFile(lambda name: locate_model(name).path),
    help="The backbone: a GGUF file, hf:user/repo[:quant], ollama:name[:tag], lmstudio:publisher/model[:quant], or a "
    "name of `models catalog`. The default is LAGER_LITE_MODEL, else the packaged model.",
)
threads_option = _option(
    "Backend",
    "-t",
    "--threads",
    type=click.IntRange(1),
    help="Number of CPU threads. The default is the number of cores that this process may use.",
)
_offline_option = _option(
    "Backend",
    "--offline/--online",
    default=True,
    show_default=True,
    expose_value=False,
    is_eager=True,
    callback=lambda ctx, _, value: ctx.with_resource(refusing(value)),
    help="Refuse or allow the network. Offline, this process opens no network socket.",
)
_guard_option = _option(
    "Backend",
    "--guard/--no-guard",
    default=True,
    show_default=True,
    envvar="LAGER_LITE_GUARD",
    show_envvar=True,
    help="Try to load an unknown model file in a child process first, so that a crash does no harm.",
)
backend_options = _all(
    model_option,
    _option(
        "Backend",
        "-ngl",
        "--gpu-layers",
        type=GPU_LAYERS,
        metavar="N|auto|all",
        default="auto",
        show_default=True,
        help="Number of blocks that are computed on the GPU.",
    ),
    _option(
        "Backend",
        "-sm",
        "--split-mode",
        type=click.Choice(list(SPLIT_MODES)),
        default="layer",
        show_default=True,
        help="How the model is split across several GPUs.",
    ),
    _option(
        "Backend",
        "-mg",
        "--main-gpu",
        type=int,
        default=0,
        show_default=True,
        help="Number of the GPU that is used where the model is not split.",
    ),
    _option(
        "Backend", "--rpc", type=SERVERS, default=(), help="Use the devices of these servers, too; needs --online."
    ),
    _option(
        "Backend",
        "-c",
        "--ctx-size",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Longest prompt in tokens; 0 means as long as needed.",
    ),
    _option(
        "Backend",
        "-b",
        "--batch-size",
        type=click.IntRange(1),
        help=f"Largest number of tokens in one decode. {_BATCH}",
    ),
    _option(
        "Backend",
        "-ub",
        "--ubatch-size",
        type=click.IntRange(1),
        help=f"Largest number of tokens that the device computes at once. {_BATCH}",
    ),
    threads_option,
    _option(
        "Backend",
        "-fa",
        "--flash-attn",
        type=click.Choice(list(FLASH_ATTENTION)),
        default="auto",
        show_default=True,
        help="Whether to use flash attention.",
    ),
    _option(
        "Backend",
        "-ctk",
        "--cache-type-k",
        type=click.Choice(list(CACHE_TYPES)),
        default="f16",
        show_default=True,
        help="Number format of the keys in the KV cache.",
    ),
    _option(
        "Backend",
        "-ctv",
        "--cache-type-v",
        type=click.Choice(["auto", *CACHE_TYPES]),
        default="auto",
        show_default=True,
        help="Number format of the values in the KV cache.",
    ),
    _option("Backend", "--exact", is_flag=True, help="The most exact arithmetic: short for -fa off -ctk f32 -ctv f32."),
    _option(
        "Backend",
        "--steady",
        is_flag=True,
        help="Evaluate every prompt apart, in pieces of -b tokens (256): other prompts and their order change no bit.",
    ),
    _option("Backend", "-v", "--verbose", is_flag=True, help="Show llama.cpp's log."),
    _offline_option,
    _guard_option,
)
store_option = _option(
    "Store",
    "--store",
    "store_path",
    type=OutputFile(None, unnamed=store_of),
    help="File of the store. The default is LAGER_LITE_STORE, else a file in the user's cache folder.",
)
store_options = _all(
    store_option,
    _option("Store", "--no-store", "--no-cache", is_flag=True, help="Neither read from the store nor write to it."),
)
judge_options = _all(rubric_option, _prompt_options, backend_options, store_options)


def judge_options_with(rubric: str, *, repeat: bool = True) -> Callable[[C], C]:
    """`judge_options` of a command whose rubric, without -r, is `rubric`. repeat: whether it takes several."""
    return _all(_rubric_option(rubric, repeat=repeat), _prompt_options, backend_options, store_options)


cluster_options = _all(
    _option(
        "Cluster",
        "--ray",
        type=RAY_ADDRESS,
        is_flag=False,
        flag_value="local",
        help="Evaluate on the workers of a Ray cluster: `local` (also without ADDRESS) starts one, `auto` finds a running "
        "one. Needs --online.",
    ),
    _option(
        "Cluster", "--workers", type=click.IntRange(1), help="With --ray: number of processes that load the model."
    ),
    _option(
        "Cluster",
        "--gpus-per-worker",
        type=click.FloatRange(0),
        help="With --ray: GPUs per worker; may be a fraction.  [default: 0]",
    ),
    _option(
        "Cluster", "--threads-per-worker", type=click.IntRange(1), help="With --ray: threads per worker.  [default: 1]"
    ),
)
json_option = click.option(
    "--json",
    "json_file",
    cls=JsonOption,
    heading="Results",
    type=OutputFile((".json",), stdout=True),
    help="Print the figures as one JSON document in place of the tables; with =FILE, write it there and print the tables.",
)
report_option = _option(
    "Results", "--report", type=OutputFile((".html", ".htm")), help="Also write an HTML page with figures to this file."
)
