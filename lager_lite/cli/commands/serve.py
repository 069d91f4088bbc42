"""lager-lite serve"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ...adapters import PORT, TOKEN_VARIABLE, Endpoint, Limits, Token, Worker, address_to_listen_on, find_token
from ...system import is_refusing, only_listening, signal_waits, signals_held
from ..grammar import command as cli_command
from ..options import judge_options, open_weighted, weights_options
from ..show.progress import say
from ..show.stopping import SERVED, kept_when_stopped
from ..show.terminal import warn

_LOOK = 0.1
_PATIENCE = 20.0
"""The seconds for which requests that wait are finished after a signal."""
_STOPPING = "Stopping: what waits is answered first, for 20 seconds at most; a second signal stops immediately."


@cli_command("serve", example="lager-lite serve --online -r helpfulness")
@click.option("--host", default="127.0.0.1", show_default=True, help="IP address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Port; 0 takes one that is free."
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read the token that requests must bring from this file, which is made where it is missing. The default is the "
    f"variable {TOKEN_VARIABLE}, else a file in the user's settings folder.",
)
@click.option(
    "--no-token", is_flag=True, help="Answer every program of this machine without a token. Allowed on loopback only."
)
@click.option(
    "--max-body",
    type=click.IntRange(1, 1024),
    default=8,
    show_default=True,
    metavar="MIB",
    help="Largest request in MiB.",
)
@click.option(
    "--max-waiting",
    type=click.IntRange(1),
    default=4096,
    show_default=True,
    help="Largest number of judgments that may wait; a request beyond it is refused with status 429.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(1, 10_000),
    default=128,
    show_default=True,
    help="Largest number of connections that are answered at a time.",
)
@weights_options
@judge_options
def command(host: str, port: int, token_file: Path | None, no_token: bool, **given: Any) -> None:
    """Answer other programs over HTTP, until interrupted. Needs --online, since it listens on a network socket.

    POST /score judges items, POST /pairs compares responses, POST /v1/chat/completions answers as OpenAI's API does, as
    far as a grader needs it, and GET /v1/models and GET /health tell what is served; see `lager-lite docs serving`.
    Every request must bring the token, which is never printed: it is in the file of --token-file. The address is printed
    on stdout. The process connects to no other machine, and
    keeps none of the texts that it judges, only numbers in the store.
    """
    if is_refusing():
        raise click.UsageError("serve listens on a network socket: give --online too")
    if no_token and token_file is not None:
        raise click.UsageError("give --token-file or --no-token, not both")
    token = None if no_token else find_token(token_file)
    address_to_listen_on(host, token)  # Said before a model loads.
    kept_when_stopped(SERVED)
    limits = Limits(given.pop("max_body") << 20, given.pop("max_connections"))
    with open_weighted(given) as judge, only_listening(), Worker(judge, most=given["max_waiting"]) as worker:
        warn(judge.doubts())
        with Endpoint(worker, token=token, host=host, port=port, limits=limits) as endpoint, signals_held(_STOPPING):
            _show(endpoint, token)
            while not signal_waits():
                time.sleep(_LOOK)
            endpoint.stop(_PATIENCE)


def _show(endpoint: Endpoint, token: Token | None) -> None:
    if token is None:
        warn(["every program on this machine can ask this server: it was started without a token"])
    else:
        where = f"in the file {token.path}" if token.path else f"in the variable {TOKEN_VARIABLE}"
        say(f"the token that requests must bring is {where}{', which was made now' if token.new else ''}")
    click.echo(endpoint.url)
