"""What is on this machine: models, rubrics, the store."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click

from ...backbones import MEMORY_TOKENS, CatalogEntry, LocalModel
from ...data import counted
from ...judging import UNNAMED, StoreInfo
from ...llama import UnpackedCopy
from ...prompts import Rubric, describe_scale
from ...system import or_nowhere, unpacked_folder
from .progress import say
from .terminal import text_table


def _model_row(row: LocalModel) -> tuple[str, ...]:
    if not row.judges:
        return (row.name, f"{row.size / 1e6:,.0f}", row.architecture, row.quantization, "", "", "", "no")
    context, memory = f"{row.context:,}", f"{row.memory / 1e6:,.0f}"
    return (
        row.name,
        f"{row.size / 1e6:,.0f}",
        row.architecture,
        row.quantization,
        str(row.blocks),
        context,
        memory,
        "yes",
    )


def show_models(rows: Sequence[LocalModel]) -> None:
    """Print a table of models; on stderr why some cannot judge, and how many can."""
    if rows:
        head = ("model", "MB", "architecture", "quantization", "layers", "context", "memory MB", "judges")
        click.echo(text_table(head, [_model_row(row) for row in rows]))
    for row in rows:
        if row.reason:
            say(f"{row.name}: {row.reason}")
    judging = sum(row.judges for row in rows)
    say(f"{counted(len(rows), 'model')}, {judging} can judge; memory is for prompts of {MEMORY_TOKENS:,} tokens")


def show_copies(copies: Sequence[UnpackedCopy]) -> None:
    """Print a table of unpacked copies; on stderr how much they take, and where."""
    rows = [
        (
            f"{copy.source or copy.path.name}{'' if not copy.source or Path(copy.source).exists() else ' (gone)'}",
            copy.kind,
            f"{copy.bytes / 1e6:,.0f}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(copy.used)),
            "yes" if copy.in_use else "",
        )
        for copy in copies
    ]
    if rows:
        click.echo(text_table(("copy of", "as", "MB", "last used", "in use"), rows))
    size = sum(copy.bytes for copy in copies) / 1e6
    say(f"{count_copies(len(copies))}, {size:,.0f} MB in {or_nowhere(unpacked_folder)}")


def count_copies(count: int) -> str:
    """A number of copies in words."""
    return f"{count} {'copy' if count == 1 else 'copies'}"


def show_catalog(entries: Sequence[CatalogEntry]) -> None:
    """Print the short names of models and where each comes from."""
    rows = [(e.name, "yes" if e.paper else "", f"{e.repo}:{e.quant}" if e.repo else e.package, e.note) for e in entries]
    click.echo(text_table(("name", "paper", "where", "note"), rows))


def rubric_facts(rubrics: Mapping[str, Rubric]) -> list[dict[str, object]]:
    """The rubrics as --json prints them."""
    return [{"rubric": n, "labels": list(r.scale.labels), "needs": list(r.required)} for n, r in rubrics.items()]


def show_rubrics(rubrics: Mapping[str, Rubric]) -> None:
    """Print each rubric's name, scale and needed fields."""
    rows = [(name, describe_scale(r.scale), ", ".join(r.required)) for name, r in rubrics.items()]
    click.echo(text_table(("rubric", "scale", "needs"), rows))


def show_store(found: StoreInfo) -> None:
    """Print where the store is and what it holds."""
    lines = [
        ("path", found.path),
        ("readings", found.readings),
        ("feedback", found.feedback),
        ("models", f"{found.models} (a model counts once under each of its settings)"),
    ]
    for name, value in [*lines, ("size", f"{found.bytes / 1e6:.1f} MB")]:
        click.echo(f"{name:<10}{value}")
    for words, count in found.instructions.items():
        click.echo(f"{'computed':<10}{count} with {words}" if words else f"{'computed':<10}{count} {UNNAMED}")


def show_lines(lines: Iterable[tuple[str, str]]) -> None:
    """Print facts, one name and value per line."""
    for name, text in lines:
        click.echo(f"{name:<18}{text}")
