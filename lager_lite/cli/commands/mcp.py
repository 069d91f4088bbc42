"""lager-lite mcp"""

from __future__ import annotations

from typing import Any

from ...adapters import Worker, check_mcp, serve_mcp
from ..grammar import command as cli_command
from ..options import judge_options, open_weighted, weights_options
from ..show.stopping import SERVED, kept_when_stopped
from ..show.terminal import warn


@cli_command("mcp", example="lager-lite mcp -r helpfulness")
@weights_options
@judge_options
def command(**given: Any) -> None:
    """Offer the judge to an assistant as tools of the Model Context Protocol, on stdin and stdout.

    The tools are `score`, `pairs` and `rubrics`. An assistant starts this command by itself; see `lager-lite docs serving`. It
    needs the extra mcp, and no network.
    """
    check_mcp()
    kept_when_stopped(SERVED)
    with open_weighted(given) as judge, Worker(judge) as worker:
        warn(judge.doubts())
        serve_mcp(worker)
