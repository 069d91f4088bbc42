"""lager-lite backend"""

from __future__ import annotations

from pathlib import Path

import click

from ...llama import BACKENDS, BackendOptions, BuildRequest, about, build, check_library, load, parse_servers, serve
from ..grammar import group
from ..options import json_option, quiet_option, threads_option
from ..show.machine import show_lines
from ..show.progress import say, show_steps
from ..show.terminal import present

_FOLDER = click.Path(file_okay=False, path_type=Path)
_SDIST = click.Path(dir_okay=False, path_type=Path)


@group("backend", example="lager-lite backend info")
def command() -> None:
    """Build llama.cpp with the native tap, and show which llama.cpp is used."""


@command.command("build", example="lager-lite backend build --cuda")
@click.option("--cuda", is_flag=True, help="Build for NVIDIA GPUs; needs the CUDA toolkit.")
@click.option("--metal", is_flag=True, help="Build for Apple GPUs; the default on macOS.")
@click.option("--vulkan", is_flag=True, help="Build for GPUs with Vulkan; needs the Vulkan SDK.")
@click.option("--wheel", type=_FOLDER, help="Put the wheel into this folder and install nothing.")
@click.option("--jobs", type=click.IntRange(1), help="Number of compilers at a time. The default is one per core.")
@click.option("--sdist", type=_SDIST, help="Use this source distribution instead of downloading it.")
@click.option("--again", is_flag=True, help="Compile although this build is installed, or was kept.")
@click.option("-v", "--verbose", is_flag=True, help="Show what pip and the compiler print.")
@quiet_option
def build_(wheel: Path | None, jobs: int | None, sdist: Path | None, again: bool, verbose: bool, **kinds: bool) -> None:
    """Download llama-cpp-python's source, patch and build it, and install it into this environment.

    This is the only command of lager-lite that downloads anything. It takes minutes. Where the same
    build is installed, or was kept on this machine, nothing is compiled. CMAKE_ARGS is passed on.
    """
    chosen = tuple(name for name in BACKENDS if kinds[name])
    request = BuildRequest(chosen, sdist=sdist, wheel=wheel, jobs=jobs, again=again, verbose=verbose)
    with show_steps("building", "installing") as progress:
        built = build(request, say, progress)
    click.echo(built.wheel or f"llama-cpp-python {built.version} is installed{'' if built.compiled else ' already'}")


@command.command("info", example="lager-lite backend info")
@json_option
def info(json_file: str | None) -> None:
    """Show which library is used, its devices, and which tap is active and why."""
    check_library()
    found = about(load())
    present(json_file, found.to_dict, lambda: show_lines(found.lines()))


@command.command("serve", example="lager-lite backend serve 0.0.0.0:50052 --online")
@click.argument("endpoint", metavar="HOST:PORT")
@click.option("--online", is_flag=True, required=True, help="Allow the network, so that others may connect.")
@threads_option
def serve_(endpoint: str, online: bool, threads: int | None) -> None:
    """Lend this machine's devices to `--rpc` of other machines, until interrupted.

    llama.cpp's protocol has neither passwords nor encryption, so use it only in a network that you trust.
    """
    try:
        (server,) = parse_servers(endpoint)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    check_library()
    serve(load(), server, BackendOptions(threads=threads).thread_count())
