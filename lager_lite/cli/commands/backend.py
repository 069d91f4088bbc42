"""lager-lite backend"""

from __future__ import annotations

import json
from pathlib import Path

import click

from ...llama import BACKENDS, BackendOptions, BuildRequest, about, build, load, parse_servers, serve


@click.group("backend")
def command() -> None:
    """Build llama.cpp with the native tap, and show which llama.cpp is used."""


@command.command("build")
@click.option("--cuda", is_flag=True, help="For NVIDIA GPUs; needs the CUDA toolkit.")
@click.option("--metal", is_flag=True, help="For Apple GPUs; on by itself on macOS.")
@click.option("--vulkan", is_flag=True, help="For GPUs with Vulkan; needs its SDK.")
@click.option("--rpc", is_flag=True, help="To use devices of other machines.")
@click.option(
    "--wheel", type=click.Path(file_okay=False, path_type=Path), help="Leave the wheel in this folder, install nothing."
)
@click.option("--jobs", type=click.IntRange(1), help="Compilers at a time. Default: one per core.")
@click.option(
    "--sdist", type=click.Path(dir_okay=False, path_type=Path), help="The source distribution, if it is here already."
)
@click.option("-v", "--verbose", is_flag=True, help="Show what pip and the compiler say.")
def build_(wheel: Path | None, jobs: int | None, sdist: Path | None, verbose: bool, **kinds: bool) -> None:
    """Download llama-cpp-python's source, patch and build it, and install it into this environment.

    Nothing else in lager-lite downloads anything. It takes minutes. CMAKE_ARGS is passed on.
    """
    chosen = tuple(name for name in BACKENDS if kinds[name])
    request = BuildRequest(chosen, sdist=sdist, wheel=wheel, jobs=jobs, verbose=verbose)
    built = build(request, lambda text: click.echo(text, err=True))
    click.echo(built.wheel or f"llama-cpp-python {built.version} is installed")


@command.command("info")
@click.option("--json", "as_json", is_flag=True)
def info(as_json: bool) -> None:
    """Say which library is used, its devices, and which tap is active and why."""
    found = about(load())
    if as_json:
        click.echo(json.dumps(found.to_dict()))
        return
    for name, text in found.lines():
        click.echo(f"{name:<18}{text}")


@command.command("serve")
@click.argument("endpoint", metavar="HOST:PORT")
@click.option("--online", is_flag=True, required=True, help="Others may connect: the network is used.")
@click.option("-t", "--threads", type=click.IntRange(1), help="Default: the cores this process may use.")
def serve_(endpoint: str, online: bool, threads: int | None) -> None:
    """Lend this machine's devices to `--rpc` of other machines, until interrupted.

    llama.cpp's protocol knows neither passwords nor encryption: use it in a network you trust.
    """
    try:
        (server,) = parse_servers(endpoint)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    serve(load(), server, BackendOptions(threads=threads).thread_count())
