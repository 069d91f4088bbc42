"""lager-lite doctor"""

from __future__ import annotations

import json
import platform
import sys
from typing import Any

import click

from ... import __version__
from ...backbones import locate_model, open_model
from ...errors import LagerError
from ...llama import about, gpu_layers, load
from ...system import store_path
from ..options import backend_options, backend_settings
from ..settings import NAME, find_config, user_path


@click.command("doctor")
@backend_options
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def command(ctx: click.Context, as_json: bool, **given: Any) -> None:
    """Say what would be used on this machine, and why. Exit code 1 where something is missing."""
    options = backend_settings(given)
    rows = [("lager-lite", __version__), ("python", f"{sys.version.split()[0]} on {platform.platform()}")]
    config = find_config()
    rows.append(("settings", str(config.path) if config else f"none: neither {NAME} here nor {user_path()}"))
    problems: list[LagerError] = []
    backend = None
    try:
        library = load()
        backend = about(library)
    except LagerError as error:
        problems.append(error)
    try:
        located = locate_model(given["model"])
        rows.append(("model", f"{located.path} ({located.why})"))
        info = open_model(located.path).info
        rows.append(
            (
                "model kind",
                f"{info.architecture}, {info.quantization}, {info.n_blocks} blocks, {info.size_bytes / 1e6:.0f} MB",
            )
        )
        rows.append(
            (
                "model context",
                f"trained for {info.n_ctx_train} tokens; chat template: {'yes' if info.chat_template else 'none'}",
            )
        )
        if not problems:
            layers = gpu_layers(load(), options.gpu_layers, located.path)
            rows.append(("gpu layers", {-1: "all", 0: "none"}.get(layers, str(layers))))
    except LagerError as error:
        problems.append(error)
    rows += [("threads", str(options.thread_count())), ("store", str(store_path()))]
    if as_json:
        found = {
            **dict(rows),
            "backend": backend and backend.to_dict(),
            "problems": [error.message for error in problems],
        }
        click.echo(json.dumps(found))
        ctx.exit(1 if problems else 0)
    for name, text in [*rows, *(backend.lines() if backend else ())]:
        click.echo(f"{name:<18}{text}")
    for error in problems:
        click.echo(f"Error: {error.message}\nTry: {error.hint}", err=True)
    ctx.exit(1 if problems else 0)
