"""The frame of every page, and the parts that it is made of.

A page is one file that works offline, on a phone, in print, in light and dark, and without scripts. Text is
escaped by the templates unless it is Markup, and only the functions here and in `figures` return Markup.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from ..evaluation import Origin
from ..stats import Interval
from ..system import write_beside
from .figures import check_matplotlib

# In pixels: a character and the padding of a cell of a table, and the room for it on a phone.
_CHARACTER, _PADDING, _PHONE = 9, 22, 350

PageSection = tuple[str, Sequence[str]]
"""A heading and the parts below it; a part that is not Markup becomes a paragraph."""


def check_report() -> None:
    """Raise LagerError where a report cannot be made on this machine; call it before any work."""
    check_matplotlib()


def page(title: str, lead: str, sections: Sequence[PageSection], *, notes: Sequence[str] = ()) -> str:
    """The whole page as text.

    lead: what was found, in a sentence. notes: warnings, which are shown before the sections.
    """
    return filled_template("page.html", title=title, lead=lead, sections=sections, notes=notes)


def filled_template(name: str, **values: object) -> str:
    """A template of this room with its slots filled; what is not Markup is escaped."""
    return _templates().get_template(name).render(**values)


def write_page(path: str | Path, text: str) -> None:
    """Write a page, complete or not at all. Raises OutputError where it cannot be written."""
    write_beside(path, lambda file: file.write(text), text=True)


def write_made(
    path: str | Path,
    title: str,
    lead: str,
    sections: Sequence[PageSection],
    origin: Origin,
    *,
    how: tuple[str, str] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write a page whose last section says what its figures were made from.

    how: a further row of that section, a name and a text. lead, notes: as for `page`. Raises OutputError where it cannot
    be written.
    """
    write_page(path, page(title, lead, [*sections, made(origin, [how] if how else [])], notes=notes))


def figure(svg: Markup, caption: str) -> Markup:
    """A figure of `figures` with its caption."""
    return _part("figure", svg, caption)


def side_by_side(*parts: Markup) -> Markup:
    """Figures next to each other where there is room."""
    return _part("side_by_side", parts)


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, label: str, strong: str | None = None) -> Markup:
    """A table that scrolls inside itself. The first column holds names, the others hold figures.

    label: what the table is, for screen readers. strong: the name of the row to stress.
    """
    return _part("table", head, rows, label, strong, _is_wide(head, rows))


def _is_wide(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table is likely to be wider than a phone. Heads break between words, cells do not."""
    longest = [max(map(len, [*name.split(), *cells])) for name, *cells in zip(head, *rows)]
    return sum(longest) * _CHARACTER + len(longest) * _PADDING > _PHONE


def facts(rows: Sequence[tuple[str, str]], *, label: str) -> Markup:
    """A table of two columns, a name and a text. label: what the table is, for screen readers."""
    return _part("facts", rows, label)


def made(origin: Origin, more: Sequence[tuple[str, str]] = ()) -> PageSection:
    """The section that says how a page's figures were made. more: further rows of its table."""
    counts = origin.judgments
    rows = [
        ("model", origin.model),
        ("backbone", f"{origin.architecture}, {origin.quantization}, {origin.states} states, {origin.fingerprint}"),
        ("rubrics", "; ".join(f"{name} {digest[:19]}" for name, digest in origin.rubrics.items())),
        ("scale", ", ".join(origin.labels)),
        ("settings", _pairs(origin.settings)),
        ("data", f"{origin.data}" + (f", SHA-256 {origin.data_hash}" if origin.data_hash else "")),
        *([("weights", _pairs(origin.weights))] if origin.weights else []),
        (
            "judgments",
            f"{counts['done']}, of these {counts['stored']} from the store; {counts['evaluated_tokens']} of "
            f"{counts['prompt_tokens']} prompt tokens evaluated",
        ),
        *([("seconds", _pairs({k: f"{v:.1f}" for k, v in origin.seconds.items()}))] if origin.seconds else []),
        *more,
        ("versions", _pairs(origin.versions)),
        ("date", origin.date),
    ]
    return "How this was made", [facts(rows, label="How this was made")]


def html_number(value: float | None, digits: int = 3) -> str:
    """A figure as every page writes it; "-" where it is undefined."""
    return "-" if value is None else f"{value:.{digits}f}"


def html_difference(value: float | None) -> str:
    """A difference with its sign; "" where there is none."""
    return "" if value is None else f"{value:+.3f}"


def html_interval(interval: Interval | None) -> str:
    """An interval as every page writes it; "-" where it is undefined."""
    return f"{interval.low:.3f} to {interval.high:.3f}" if interval else "-"


def html_interval_of(value: float | None, interval: Interval | None) -> str:
    """The interval of a figure; "undefined" where the figure is known and has none, "-" where neither is."""
    return "undefined" if value is not None and interval is None else html_interval(interval)


def _pairs(given: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in given.items())


@functools.cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )


def _part(name: str, *values: object) -> Markup:
    return Markup(getattr(_templates().get_template("parts.html").module, name)(*values))
