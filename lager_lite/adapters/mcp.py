"""The judge as tools of the Model Context Protocol, over stdin and stdout (extra `mcp`).

The package `mcp` speaks the protocol and keeps stdout for it: whatever else is printed meanwhile goes to stderr.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from .. import __version__
from ..errors import REQUEST, LagerError, through
from .asks import Started, ask_rubrics, ask_scores
from .missing import needed
from .pair_asks import ask_pairs
from .worker import Worker

_ITEM = {
    "type": "object",
    "description": "What is judged: response, and as far as there are any instruction, reference, source and id.",
    "properties": {name: {"type": "string"} for name in ("response", "instruction", "reference", "source", "id")},
    "required": ["response"],
}
_PAIR = {
    "type": "object",
    "description": "Two responses to one task: response_a and response_b, and as far as there are any instruction, "
    "reference, source, system_a, system_b and id.",
    "properties": {
        name: {"type": "string"} for name in ("response_a", "response_b", "instruction", "reference", "source")
    },
    "required": ["response_a", "response_b"],
}
_RUBRIC = {
    "description": "The name of a rubric (see the tool rubrics), an object with at least a criterion, or a list of these. "
    "Without it the server's own is used.",
    "anyOf": [{"type": "string"}, {"type": "object"}, {"type": "array", "items": {"type": ["string", "object"]}}],
}
TOOLS: Mapping[str, tuple[str, Mapping[str, Any], Callable[[Worker, Mapping[str, Any]], Started]]] = {
    "score": (
        "Judge responses by a rubric with the local model. Give item, or items. Every item and rubric gives a row with its "
        "score, the probabilities of the labels, and flags that say what is odd.",
        {
            "type": "object",
            "properties": {
                "item": _ITEM,
                "items": {"type": "array", "items": _ITEM, "minItems": 1},
                "rubric": _RUBRIC,
                "per_layer": {"type": "boolean", "description": "Whether rows name the score of every layer."},
            },
            "additionalProperties": False,
        },
        ask_scores,
    ),
    "pairs": (
        "Say which of two responses to one task is better, asked in both orders. Give pair, or pairs. Every pair gives a row "
        "with the probability that response A is better, the verdict, and whether the two orders disagree (flip).",
        {
            "type": "object",
            "properties": {
                "pair": _PAIR,
                "pairs": {"type": "array", "items": _PAIR, "minItems": 1},
                "rubric": _RUBRIC,
                "ties": {"type": "boolean", "description": "Whether both may be called equally good."},
            },
            "additionalProperties": False,
        },
        ask_pairs,
    ),
    "rubrics": (
        "List the rubrics that can be named, with what they are about, their scale and the fields that they need.",
        {"type": "object", "properties": {}, "additionalProperties": False},
        ask_rubrics,
    ),
}
"""By the name of a tool: its description, the schema of its arguments, and what answers it."""


def check_mcp() -> None:
    """Raise LagerError where the package `mcp` is missing or too old; call it before a model loads."""
    with needed("mcp", "mcp"):
        from mcp.server.lowlevel import Server as Server
        from mcp.server.stdio import stdio_server as stdio_server


def serve_mcp(worker: Worker) -> None:
    """Answer on stdin and stdout until stdin ends. Raises LagerError where the package `mcp` is missing or too old."""
    asyncio.run(_serve(worker))


async def _serve(worker: Worker) -> None:
    with needed("mcp", "mcp"):
        from mcp import types
        from mcp.server.lowlevel import Server
        from mcp.server.stdio import stdio_server

    async def tools(_context: Any, _params: Any) -> Any:
        """Answer which tools there are."""
        told = [
            types.Tool(name=name, description=about, input_schema=dict(schema))
            for name, (about, schema, _) in TOOLS.items()
        ]
        return types.ListToolsResult(tools=told)

    async def call(_context: Any, params: Any) -> Any:
        """Answer a call of a tool; what is wrong with it is told to the assistant."""
        try:
            found = await answered(worker, params.name, params.arguments or {})
        except LagerError as error:
            with through(REQUEST):
                text = f"{error.message} ({error.hint})" if error.hint else error.message
            return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
        content = types.TextContent(type="text", text=json.dumps(found, allow_nan=False))
        return types.CallToolResult(content=[content], structured_content=dict(found))

    server: Any = Server("lager-lite", version=__version__, on_list_tools=tools, on_call_tool=call)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


async def answered(worker: Worker, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a tool answers to its arguments. Raises LagerError for an unknown tool and for bad arguments."""
    if name not in TOOLS:
        raise LagerError(f"there is no tool {name!r}", f"one of: {', '.join(TOOLS)}")
    with through(REQUEST):
        started = TOOLS[name][2](worker, arguments)
    answers = () if started.future is None else await asyncio.wrap_future(started.future)
    return started.document(answers)
