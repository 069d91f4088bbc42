"""A jinja2 environment in which a chat template of unknown origin may run.

The language is the one Hugging Face transformers gives to chat templates (trim_blocks,
lstrip_blocks, loop controls, `generation` tags, `tojson`, `raise_exception`, `strftime_now`). On top
of jinja2's own immutable sandbox, the work is bounded: the number of steps (loop turns and calls), the
seconds, and the length of every string that is built. A model file is data from a stranger, and without
bounds a template can take all memory of the machine in forty lines.
"""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from ..errors import Advice, PromptError

MAX_SOURCE = 256 * 1024
MAX_TEXT = 1024 * 1024
MAX_STEPS = 50_000
MAX_SECONDS = 5.0

_MULTIPLYING = ("replace", "join", "format", "format_map", "translate", "expandtabs")
_WIDE_FORMAT = re.compile(r"\d{5}|\*")


class TemplateTooLarge(Exception):
    """A template exceeded one of the limits; the text says which."""


class TemplateStopped(PromptError):
    """The error that a user sees for it; rendering in another way would exceed the same limit."""


class _GenerationTag(Extension):
    """`{% generation %}` marks the assistant's text for training; its body is rendered as it is."""

    tags = {"generation"}

    def parse(self, parser: Any) -> Any:
        """Leave the marks out and keep what stands between them."""
        parser.stream.skip(1)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Bounding(NodeTransformer):
    """Routes loops and `~` through filters that count, as the sandbox offers no hook for them."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        """Let a filter count the turns of a loop."""
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "_counted", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        """Let a filter join texts."""
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "_concat", [], [], None, None, lineno=node.lineno)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox with limits; `start` opens a new budget and belongs before each rendering."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, loopcontrols])
        for name, function in list(self.filters.items()):
            self.filters[name] = self._guarded(name, function)
        self.filters["tojson"] = _tojson
        self.filters["_counted"] = self._counted
        self.filters["_concat"] = lambda parts: self.concat(str(p) for p in parts)
        self.start()

    def start(self) -> None:
        """Begin counting steps and seconds anew."""
        self._steps = 0
        self._deadline = time.monotonic() + MAX_SECONDS

    def step(self) -> None:
        """Count one step. Raises TemplateTooLarge above the limit of steps or seconds."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TemplateTooLarge(f"it takes more than {MAX_STEPS} steps")
        if time.monotonic() > self._deadline:
            raise TemplateTooLarge(f"it runs for more than {MAX_SECONDS:g} seconds")

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template: nodes.Template = _Bounding().visit(super()._parse(source, name, filename))
        return template

    def concat(self, parts: Iterable[str]) -> str:
        """Join what a template writes. Raises TemplateTooLarge beyond MAX_TEXT characters."""
        kept, length = [], 0
        for part in parts:
            length += len(part)
            if length > MAX_TEXT:
                raise TemplateTooLarge(f"it writes more than {MAX_TEXT} characters")
            kept.append(part)
        return "".join(kept)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute an operator. Raises TemplateTooLarge for results that could take all memory."""
        if operator in "**":
            _check_product(left, right)
        if operator == "**" and isinstance(right, (int, float)) and abs(right) > 64:
            raise TemplateTooLarge("it raises a number to a power above 64")
        if operator == "%" and isinstance(left, str) and _WIDE_FORMAT.search(left):
            raise TemplateTooLarge("it formats text to a very large width")
        return _checked(super().call_binop(context, operator, left, right))

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what a template calls, and count it as a step."""
        self.step()
        # The sandbox wraps str.format; the text it belongs to is on what was wrapped.
        owner = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)
        _check_arguments(getattr(obj, "__name__", ""), owner, args, kwargs)
        return _checked(super().call(context, obj, *args, **kwargs))

    def _guarded(self, name: str, function: Any) -> Any:
        """`function` with limits; jinja2's marks (pass_context and the like) are kept."""

        def guarded(*args: Any, **kwargs: Any) -> Any:
            self.step()
            _check_arguments(name, None, args, kwargs)
            return _checked(function(*args, **kwargs))

        for mark in ("jinja_pass_arg", "jinja_async_variant"):
            if hasattr(function, mark):
                setattr(guarded, mark, getattr(function, mark))
        return guarded

    def _counted(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self.step()
            yield value


def render_template(source: str, variables: Mapping[str, Any], *, today: datetime.date) -> str:
    """Render `source` with `variables` under the limits of this module.

    `strftime_now` formats `today` at midnight, so that the same input renders the same on every day.
    Raises TemplateStopped for a template that exceeds a limit, and PromptError for one that does not
    compile, fails, or calls raise_exception (whose text is then in the message).
    """
    template = _compiled(source)
    environment = template.environment
    assert isinstance(environment, BoundedEnvironment)
    environment.start()
    midnight = datetime.datetime.combine(today, datetime.time())
    functions = {"raise_exception": _raise_exception, "strftime_now": midnight.strftime}
    try:
        return environment.concat(template.generate(**functions, **variables))
    except TemplateTooLarge as error:
        raise TemplateStopped(f"the chat template was stopped: {error}", _REMEDY) from None
    except (RecursionError, MemoryError):
        raise TemplateStopped("the chat template was stopped: it nests too deeply", _REMEDY) from None
    except Exception as error:  # a template can raise whatever Python can
        raise PromptError(f"the chat template failed: {error}", _REMEDY) from None


_REMEDY = Advice(
    "give another with --chat-template-file, or --chat-template none for plain text",
    'give another as `chat`; resolve_chat("none") is plain text',
)


@lru_cache(maxsize=16)
def _compiled(source: str) -> jinja2.Template:
    if len(source) > MAX_SOURCE:
        message = f"the chat template has {len(source)} characters, the limit is {MAX_SOURCE}"
        raise PromptError(message, _REMEDY)
    try:
        return BoundedEnvironment().from_string(source)
    except jinja2.TemplateSyntaxError as error:
        message = f"the chat template does not compile: line {error.lineno}: {error.message}"
        raise PromptError(message, _REMEDY) from None
    except (RecursionError, MemoryError, SyntaxError, ValueError, TypeError, AssertionError) as error:
        raise PromptError(f"the chat template does not compile: {error}", _REMEDY) from None


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    text = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    _checked(text)
    return text


def _size(value: Any) -> int:
    if isinstance(value, (list, tuple)):
        return sum(len(v) if isinstance(v, str) else 1 for v in value)
    return len(value) if isinstance(value, str) else 0


def _checked(value: Any) -> Any:
    if isinstance(value, (str, list, tuple)) and len(value) > MAX_TEXT:
        raise TemplateTooLarge(f"it builds a value of more than {MAX_TEXT} elements")
    if isinstance(value, int) and value.bit_length() > 4096:
        raise TemplateTooLarge("it builds an integer of more than 4096 bits")
    return value


def _check_product(left: Any, right: Any) -> None:
    for sequence, times in ((left, right), (right, left)):
        countable = isinstance(sequence, (str, list, tuple)) and isinstance(times, int)
        if countable and len(sequence) * times > MAX_TEXT:
            raise TemplateTooLarge(f"it repeats text beyond {MAX_TEXT} characters")


def _check_arguments(name: str, owner: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse widths and products that would build a huge string inside one call."""
    values = [owner, *args, *kwargs.values()]
    if any(isinstance(v, int) and abs(v) > 100_000 for v in values):
        raise TemplateTooLarge(f"it calls {name} with a number above 100000")
    if name not in _MULTIPLYING:
        return
    if name == "format" and any(isinstance(v, str) and _WIDE_FORMAT.search(v) for v in values[:2]):
        raise TemplateTooLarge("it formats text to a very large width")
    sizes = sorted((_size(v) for v in values), reverse=True)
    if len(sizes) > 1 and sizes[0] * max(sizes[1], 1) > 64 * MAX_TEXT:
        raise TemplateTooLarge(f"it calls {name} on very long texts")
