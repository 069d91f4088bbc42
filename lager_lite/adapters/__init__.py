"""The judge inside other programs: an HTTP endpoint on this machine, MCP, and adapters for frameworks of evaluation.

One Worker owns the judge and judges together what waits. Each adapter stands in a module that is named like the
package it is for, and imports that package when the module is imported.
"""

from __future__ import annotations

from .connection import Limits
from .endpoint import PORT, Endpoint, address_to_listen_on
from .mcp import check_mcp, serve_mcp
from .promptfoo import grade
from .secret import TOKEN_VARIABLE, Token, find_token
from .worker import Worker

__all__ = [
    "Endpoint",
    "Limits",
    "PORT",
    "TOKEN_VARIABLE",
    "Token",
    "Worker",
    "address_to_listen_on",
    "check_mcp",
    "find_token",
    "grade",
    "serve_mcp",
]
