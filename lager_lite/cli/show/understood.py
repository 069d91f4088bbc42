"""What was understood of a file of items: two lines on stderr, or the whole of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import click

from ...data import SYSTEM_FIELDS, CheckedFile, Understood, listed
from ...prompts import RESPONSE_A, ChatTemplate, Rubric, render
from ...records import Item, id_for_results
from .progress import say
from .terminal import warn

_LONGEST, _MOST = 1_200, 60


def shown_fields(rubrics: Iterable[Rubric]) -> frozenset[str]:
    """The fields that rubrics show to the judge, where an item has them; for pairs also those that name the systems."""
    names = {name for rubric in rubrics for name in (*rubric.required, *(section.field for section in rubric.sections))}
    if RESPONSE_A in names:
        names |= {"response", *SYSTEM_FIELDS}
    return frozenset(names)


def show_understood(
    understood: Understood,
    shown: Collection[str] | None = None,
    *,
    used: Collection[str] = (),
    limit: int | None = None,
) -> None:
    """Say on stderr what a file holds, which key each field was taken from, and what is probably not as it was meant.

    shown, used: see `Understood.mapping_line`. limit: how many of the items are used, None for all.
    """
    first = f"; the first {limit} are used" if limit is not None and limit < understood.items else ""
    say(understood.message + first)
    say(f"  {understood.mapping_line(shown, used)}")
    warn(understood.warnings)


def show_checked(checked: CheckedFile, rubrics: Sequence[Rubric], chat: ChatTemplate) -> None:
    """Print what `check_file` found, and the first item as the judge reads it."""
    understood = checked.understood
    click.echo(understood.message)
    rows = [("field", "items", "taken from")]
    for name in understood.fields:
        shown = "whole prompt" if name == "rendered" else name
        rows.append((shown, str(sum(understood.taken[name].values())), understood.origin(name)))
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    click.echo("\n".join(["", *(f"{name:<{wide[0]}}  {count:>{wide[1]}}  {keys}" for name, count, keys in rows)]))
    for title, keys in (
        ("shown only by rubrics with a section for them", understood.left(understood.kept)),
        ("ignored", [key for key in understood.left(understood.ignored) if key not in understood.kept]),
        ("left out as asked", understood.left_out),
    ):
        if keys:
            click.echo(f"{title}: {listed(keys, _MOST)}")
    for title, lines in (("Odd", checked.odd), ("Wrong", checked.errors)):
        if lines:
            click.echo("\n".join(["", f"{title}:", *(f"- {line}" for line in lines)]))
    if checked.first is not None:
        for rubric in rubrics:
            click.echo(f"\nItem {checked.first.id} as the judge reads it, by the rubric {rubric.name}:\n")
            click.echo(marked(checked.first, rubric, chat, longest=_LONGEST))


def checked_document(checked: CheckedFile, rubrics: Sequence[Rubric], chat: ChatTemplate) -> dict[str, Any]:
    """What `check_file` found, as json.dumps takes it; `prompts` holds the first item's prompt by rubric."""
    first = checked.first
    return {
        "understood": checked.understood.to_dict(),
        "odd": list(checked.odd),
        "errors": list(checked.errors),
        "first": None
        if first is None
        else {"id": id_for_results(first.id), "where": first.where, "fields": dict(first.fields)},
        "prompts": {} if first is None else {rubric.name: marked(first, rubric, chat) for rubric in rubrics},
    }


def marked(item: Item, rubric: Rubric, chat: ChatTemplate, *, longest: int | None = None) -> str:
    """The prompt of an item, its own texts between ⟦ and ⟧, and ▮ where the score is read.

    longest: texts of more characters are shown without their middle; None shows all.
    """
    prompt = render(rubric, item, chat)
    parts = [part.text if part.trusted else f"⟦{_short(part.text, longest)}⟧" for part in prompt.segments]
    return f"{''.join(parts)}{prompt.lead}▮"


def _short(text: str, longest: int | None) -> str:
    if longest is None or len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} [... {len(text) - 2 * half:,} characters ...] {text[-half:]}"
