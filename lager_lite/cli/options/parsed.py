"""From parsed options to the values of the library; wrong combinations are usage errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click
from click.core import ParameterSource

from ...backbones import open_model
from ...judging import TEMPERATURE, Reasoning
from ...llama import WEIGHTS_AS, BackendOptions
from ...prompts import ChatTemplate, Rubric, load_rubric, pairwise_rubric, resolve_chat, with_scale
from ...scaleout import Cluster
from ...scoring import WeightsFile, load_weights
from ...system import is_refusing

# The options of one call by the names of their parameters, as click hands them to a command.
Given = Mapping[str, Any]

_BACKEND = (
    "gpu_layers",
    "split_mode",
    "main_gpu",
    "ctx_size",
    "batch_size",
    "ubatch_size",
    "threads",
    "verbose",
    "rpc",
    "steady",
)
_ARITHMETIC = ("flash_attn", "cache_type_k", "cache_type_v")
_BESIDE_EXACT = {
    **{"flash_attn": ("off",), "cache_type_k": ("f32",), "cache_type_v": ("f32",)},
    "weights_as": ("auto", "unpacked"),
}
_UNQUANTIZED = ("auto", "f32", "f16", "bf16")
_SPELLED = {"side": "scores", "json_file": "json", "folds": "cv"}


def option_name(name: str) -> str:
    """The long option of a parameter."""
    return "--" + _SPELLED.get(name, name.replace("_", "-"))


def backend_settings(given: Given) -> BackendOptions:
    """What --exact, --steady, -ngl, -c and the other backend options ask for."""
    if given["rpc"] and is_refusing():
        raise click.UsageError("--rpc connects to other machines: give --online too")
    if given["steady"] and given.get("reason"):
        raise click.UsageError("--steady is about scores, and --reason writes texts together: leave one out")
    chosen = {name: given[name] for name in _BACKEND}
    if given["exact"]:
        _check_exact(given)
        return BackendOptions.exact(**chosen)
    if given["flash_attn"] == "off" and given["cache_type_v"] not in _UNQUANTIZED:
        raise click.UsageError("a quantized -ctv needs flash attention: leave out -fa off")
    return BackendOptions(
        **chosen, **{name: given[name] for name in _ARITHMETIC}, unpack=WEIGHTS_AS[given["weights_as"]]
    )


def _check_exact(given: Given) -> None:
    """Refuse what the command line asks for beside --exact, which would be ignored.

    Commands that measure with these settings as well as with their own (`bench`) have no --exact on their line then.
    """
    context = click.get_current_context()
    if not context.params["exact"]:
        return
    for name, same in _BESIDE_EXACT.items():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE and given[name] not in same:
            raise click.UsageError(f"--exact sets {option_name(name)} by itself: leave one of them out")


def chat_settings(given: Given, model: str) -> ChatTemplate:
    """The chat template: the model file's own, or the one that the options give."""
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


def mapped_keys(given: Given) -> dict[str, str | tuple[str, ...]]:
    """What --map says: field -> key, or the keys of several annotators for a score. Any other field has one key."""
    keys: dict[str, tuple[str, ...]] = {}
    for field, key in given["mapping"]:
        keys[field] = (*keys.get(field, ()), key)
        if len(keys[field]) > 1 and field != "score" and not field.startswith("score:"):
            raise click.UsageError(f"--map gives {field} two keys: {' and '.join(keys[field])}")
    return {field: named[0] if len(named) == 1 else named for field, named in keys.items()}


def scale_labels(given: Given) -> dict[str, float]:
    """What the labels of the chosen rubrics are worth; empty for a command without rubrics, and one that compares pairs."""
    scored = "rubrics" in given and "ties" not in given
    scales = [rubric.scale for rubric in chosen_rubrics(given)] if scored else []
    return {label: value for scale in reversed(scales) for label, value in zip(scale.labels, scale.values)}


def chosen_rubrics(given: Given) -> list[Rubric]:
    """The rubrics of -r, on another scale where --scale gives one; of a command with --ties, as they compare pairs."""
    rubrics = [load_rubric(name) for name in given["rubrics"] or ("default",)]
    if "ties" in given:
        return [pairwise_rubric(rubric, ties=given["ties"]) for rubric in rubrics]
    return [with_scale(r, given["scale"]) for r in rubrics] if given.get("scale") else rubrics


def chosen_weights(given: Given) -> WeightsFile | None:
    """The weights of -w, None without it."""
    return load_weights(given["weights"]) if given["weights"] else None


def reasoning_settings(given: Given) -> Reasoning | None:
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


def cluster_settings(given: Given) -> Cluster | None:
    """The Ray cluster, None without --ray."""
    if given["ray"] is None:
        alone = [name for name in ("workers", "gpus_per_worker", "threads_per_worker") if given[name] is not None]
        if alone:
            raise click.UsageError(f"{option_name(alone[0])} belongs to --ray: give both")
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


def check_shard(given: Given, options: Iterable[str]) -> None:
    """Refuse options that are about figures, or about not using the store, beside --shard."""
    asked = [name for name in ("no_store", *options) if given[name]]
    if given["shard"] and asked:
        raise click.UsageError(
            f"--shard only reads into the store, and figures need all items: leave out {option_name(asked[0])}"
        )
