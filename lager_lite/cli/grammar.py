"""One grammar for every command.

A command's own options come first in its help, those that it shares with others behind them under headings, and
an example that can be run ends it. `--json[=FILE]` has an optional value; a mistyped name is answered with the
near ones.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from .outputs import STDOUT, check_outputs

HEADINGS = ("Items", "Weights", "Prompt", "Feedback", "Folds", "Randomness", "Backend", "Store", "Cluster", "Results")
_JSON = "--json"
_HELP = ("-h", "--help")
_ONE_OR_SEVERAL = frozenset({"model", "rubric", "weights", "output"})


class SharedOption(click.Option):
    """An option of several commands; heading: the part of the help that it stands in, one of HEADINGS."""

    def __init__(self, *names: Any, heading: str, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.heading = heading


class JsonOption(SharedOption):
    """`--json[=FILE]`: "-" without FILE, and None where it is not given.

    FILE needs the equals sign: otherwise `--json ITEMS` would write over the items.
    """

    def __init__(self, *names: Any, **attributes: Any) -> None:
        super().__init__(*names, is_flag=False, flag_value=STDOUT, **attributes)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option as it is written, and its help."""
        return f"{_JSON}[=FILE]", self.help or ""


class _Exemplified(click.Command):
    """A command that knows `example`, a command line for the end of its help."""

    def __init__(self, *names: Any, example: str = "", **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.example = example

    def get_help_option_names(self, ctx: click.Context) -> list[str]:
        """-h and --help, whatever the context that the command is called in."""
        return list(_HELP)


class Command(_Exemplified):
    """A command whose help has the shared options under headings and ends with its example."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's, with a bare `--json` kept from taking the argument behind it as its file."""
        try:
            rest = self._parsed(ctx, list(args))
            self._refuse_repeats(ctx, args)
            return rest
        except BaseException:
            ctx.close()  # Otherwise what an option opened, such as the refusal of sockets, would last as long as the error.
            raise

    def _parsed(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not any(isinstance(parameter, JsonOption) for parameter in self.params):
            return super().parse_args(ctx, args)
        end = args.index("--") if "--" in args else len(args)
        bare = [place for place, arg in enumerate(args[:end]) if arg == _JSON]
        behind = [
            args[place + 1] for place in bare if args[place + 1 : place + 2] and args[place + 1].endswith(".json")
        ]
        spelled = [f"{_JSON}={STDOUT}" if place in bare else arg for place, arg in enumerate(args)]
        try:
            return super().parse_args(ctx, spelled)
        except click.UsageError as error:
            if not behind:
                raise
            hint = f"To write the JSON to a file, use an equals sign: {_JSON}={behind[0]}"
            raise click.UsageError(f"{error.format_message().rstrip('.')}. {hint}", ctx) from None

    def _refuse_repeats(self, ctx: click.Context, args: Sequence[str]) -> None:
        """Raise UsageError where an option that some commands take several times is repeated on one that takes one.

        click keeps the last value, as is usual for settings; here a model or a file would be left out in silence.
        """
        if ctx.resilient_parsing:
            return
        given = self.make_parser(ctx).parse_args([arg for arg in args if arg != _JSON])[2]
        for option, times in Counter(given).items():
            if times > 1 and option.name in _ONE_OR_SEVERAL and not option.multiple:
                names = " or ".join(option.opts)
                raise click.UsageError(f"{names} was given {times} times, and this command takes one", ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """As click's, after the check of the files that the call would write."""
        check_outputs(self, ctx.params)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then one section for each heading."""
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in ("Options", *HEADINGS)}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                heading = parameter.heading if isinstance(parameter, SharedOption) else "Options"
                sections[heading].append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        write_example(self.example, formatter)


class CommandGroup(_Exemplified, click.Group):
    """A group of commands whose help ends with an example, and which answers a mistyped name with the near ones."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's; a name that is no command is wrong usage, with the names that are near it."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            known = self.list_commands(ctx)
            raise click.UsageError(f"There is no command {name!r}. {_suggestion(name, known)}", ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        write_example(self.example, formatter)


def command(name: str, *, example: str) -> Callable[[Callable[..., Any]], Command]:
    """Makes a function a command of its own file. example: a command line, or several on lines of their own."""
    return click.command(name, cls=Command, example=example)


def group(name: str, *, example: str) -> Callable[[Callable[..., Any]], CommandGroup]:
    """Makes a function a group of commands."""
    return click.group(name, cls=CommandGroup, example=example)


def commands_of(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command under a group, and the groups among them, with its whole name ("models list")."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        assert found is not None
        path = f"{before} {name}".strip()
        yield path, found
        if isinstance(found, click.Group):
            yield from commands_of(found, path)


def write_example(example: str, formatter: click.HelpFormatter) -> None:
    """Write the lines of an example as they stand; a terminal that is too narrow wraps them itself."""
    lines = example.strip().splitlines()
    if lines:
        formatter.write_paragraph()
        formatter.write("Example:\n" if len(lines) == 1 else "Examples:\n")
        formatter.write("".join(f"  {line.strip()}\n" for line in lines))


def _suggestion(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"The commands are: {', '.join(known)}."
