"""lager-lite doctor"""

from __future__ import annotations

import platform
import sys
from typing import Any

import click

from ... import __version__
from ...backbones import ModelInfo, locate_model, open_model
from ...errors import LagerError
from ...judging import TRIAL_RUBRIC, Judge, Trial, try_out
from ...llama import (
    BackendOptions,
    about,
    check_library,
    check_loads,
    gpu_layers,
    known_company,
    lack_of_room,
    load,
    recall_ways,
    say_company,
    say_weights,
    unmet,
)
from ..grammar import command as cli_command
from ..options import backend_options, backend_settings, json_option
from ..outputs import store_of
from ..settings import CONFIG_NAME, find_config, user_path
from ..show.machine import show_lines
from ..show.progress import show_stage
from ..show.terminal import present, warn


def _settings() -> str:
    config = find_config()
    if config:
        return str(config.path)
    try:
        return f"none: neither {CONFIG_NAME} here nor {user_path()}"
    except LagerError as error:
        return f"none: no {CONFIG_NAME} here, and {error.message}"


def _model_lines(info: ModelInfo) -> list[tuple[str, str]]:
    kind = f"{info.architecture}, {info.quantization}, {info.n_blocks} blocks, {info.size_bytes / 1e6:.0f} MB"
    chat = "yes" if info.chat_template else "none"
    context = f"trained for {info.n_ctx_train} tokens; chat template: {chat}"
    return [("model kind", kind), ("model context", context)]


def _examine(
    model: str | None, options: BackendOptions, *, guard: bool
) -> tuple[list[tuple[str, str]], Any, list[LagerError]]:
    """Lines about this program and the model; what llama.cpp is, None where it does not load; what is missing."""
    rows = [("lager-lite", __version__), ("python", f"{sys.version.split()[0]} on {platform.platform()}")]
    rows.append(("settings", _settings()))
    problems: list[LagerError] = []
    backend = None
    try:
        if guard:
            check_library()
        backend = about(load())
    except LagerError as error:
        problems.append(error)
    try:
        located = locate_model(model)
        rows.append(("model", f"{located.path} ({located.why})"))
        rows += _model_lines(open_model(located.path).info)
        if backend:
            layers = gpu_layers(load(), options.gpu_layers, located.path)
            lack = lack_of_room(load(), options.gpu_layers, located.path)
            lack = lack or ("" if options.rpc else unmet(load(), options))
            rows.append(("gpu layers", {-1: "all", 0: "none"}.get(layers, str(layers)) + (f": {lack}" if lack else "")))
            rows.append(("batches", f"-b {options.batch(layers)} -ub {options.ubatch(layers)}"))
    except LagerError as error:
        problems.append(error)
    return (
        [
            *rows,
            ("threads", str(options.thread_count())),
            ("store", store_of({}) or "none: this user has no home folder"),
        ],
        backend,
        problems,
    )


def _ways(model: str | None, options: BackendOptions) -> list[tuple[str, str]]:
    """A line that says how the model's weights are multiplied, or how that would be faster; none where nobody knows."""
    try:
        path = locate_model(model).path
        ways = recall_ways(load(), path)
        layers = gpu_layers(load(), options.gpu_layers, path)
        on_gpu = say_weights(load(), options, path, layers)
    except LagerError:
        return []
    told = ways.text() if ways and not layers else on_gpu
    return [("weights", told)] if told else []


def _company(model: str | None, options: BackendOptions) -> list[tuple[str, str]]:
    """A line that says whether states depend on the prompts beside them; none where nobody tried."""
    try:
        difference = known_company(locate_model(model).path, options)
    except LagerError:
        return []
    return [] if difference is None else [("company", say_company(difference))]


def _tried(model: str | None, options: BackendOptions, problems: list[LagerError], *, guard: bool) -> Trial | None:
    """The model's trial; None where it cannot judge, with the reason added to `problems`."""
    try:
        path = locate_model(model).path
        if guard:
            check_loads(str(path), options)
        with show_stage(f"trying {path.name}"), Judge(path, rubric=TRIAL_RUBRIC, options=options) as judge:
            return try_out(judge)
    except LagerError as error:
        problems.append(error)
        return None


@cli_command("doctor", example="lager-lite doctor")
@click.option(
    "--trial/--no-trial", default=True, show_default=True, help="Load the model and let it judge ten answers."
)
@backend_options
@json_option
def command(json_file: str | None, trial: bool, **given: Any) -> None:
    """Say what would be used on this machine, and why, and how well the model judges ten short answers.

    The exit code is 1 where something is missing.
    """
    options = backend_settings(given)
    rows, backend, problems = _examine(given["model"], options, guard=given["guard"])
    tried = _tried(given["model"], options, problems, guard=given["guard"]) if trial and not problems else None
    if backend:
        rows += _ways(given["model"], options)
        rows += _company(given["model"], options)
    if tried:
        rows.append(("trial", tried.text))
    found = {
        **dict(rows),
        "backend": backend and backend.to_dict(),
        "warnings": list(tried.warnings) if tried else [],
        "problems": [problem.message for problem in problems],
    }
    present(json_file, lambda: found, lambda: show_lines([*rows, *(backend.lines() if backend else ())]))
    if json_file != "-":
        warn(tried.warnings if tried else ())
        for problem in problems:
            click.echo(f"Error: {problem.message}\nTry: {problem.hint}", err=True)
    click.get_current_context().exit(1 if problems else 0)
