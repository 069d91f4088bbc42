"""Figures as SVG text for a page: no scripts, no fonts of their own, colours from the page's theme.

Drawn with matplotlib (extra `report`) without its global state, so a user's settings change nothing.
Every figure is FIGURE_WIDTH inches wide. At that size its text can be read on a phone, and a wide screen enlarges
it. Colours are written as CSS variables, which the page's template defines for light and dark.
"""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from ..errors import LagerError
from ..stats import Interval

# What matplotlib paints with, and what the page's theme makes of it.
INK, MUTED, GRID_LINE, FIRST, SECOND = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05"
_THEME = {INK: "ink", MUTED: "muted", GRID_LINE: "grid", FIRST: "first", SECOND: "second"}
FIGURE_WIDTH = 3.8
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lager-lite",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID_LINE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
}


def check_matplotlib() -> None:
    """Raise LagerError where matplotlib is missing; call it before any work for a figure."""
    if importlib.util.find_spec("matplotlib") is None:
        raise LagerError("a report needs matplotlib, which is not installed", "pip install 'lager-lite[report]'")


def draw_figure(name: str, paint: Callable[[Any], None], *, title: str, about: str, height: float = 2.6) -> Markup:
    """One figure as SVG text; `paint` gets a matplotlib Figure of FIGURE_WIDTH x height inches.

    name: letters and digits, different for each figure of a page; every id in the SVG starts with it.
    title and about: what screen readers read out in place of the figure; both are escaped here. Raises
    LagerError where matplotlib is missing.
    """
    check_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        figure = Figure(figsize=(FIGURE_WIDTH, height), layout="constrained")
        paint(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _clean(buffer.getvalue(), name, title, about)


def interval_dots(
    name: str,
    rows: Sequence[tuple[str, float, Interval | None, bool]],
    *,
    line: float,
    xlabel: str,
    title: str,
) -> Markup:
    """A dot with its interval for each of the rows: (name, value, interval, whether it is stressed by colour).

    line: the value at which a vertical line stands, such as chance.
    """

    def paint(figure: Any) -> None:
        """Draw a dot with its interval for each row."""
        axes = figure.add_subplot()
        for place, (_, value, interval, stressed) in enumerate(rows):
            colour = FIRST if stressed else MUTED
            if interval:
                ends = [interval.low, interval.high]
                axes.plot(ends, [place, place], color=colour, linewidth=2.2, alpha=0.55)
            axes.plot([value], [place], "o", color=colour, markersize=5)
        axes.axvline(line, color=MUTED, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(xlabel)

    about = "; ".join(f"{label} {value:.3f}" for label, value, *_ in rows)
    return draw_figure(name, paint, title=title, about=about, height=0.75 + 0.26 * max(len(rows), 2))


def histogram(
    axes: Any, values: Any, edges: np.ndarray, colour: str, *, percent: bool, label: str | None = None
) -> None:
    """Bars for how many of the values, or which per cent of them, lie between the edges."""
    counts = np.histogram(values, bins=edges)[0]
    heights = 100 * (counts / len(values)) if percent else counts
    axes.bar(edges[:-1], heights, width=np.diff(edges), align="edge", color=colour, alpha=0.8, label=label)


def state_axis(axes: Any, label: str = "state (0: embedding)") -> None:
    """Name a horizontal axis that counts states, and write whole numbers on it."""
    axes.set_xlabel(label)
    axes.xaxis.get_major_locator().set_params(integer=True)


def band(found: Sequence[Interval | None]) -> tuple[list[float], list[float]]:
    """The lower and the upper ends of intervals, NaN where one is undefined."""
    return [np.nan if i is None else i.low for i in found], [np.nan if i is None else i.high for i in found]


def _clean(text: str, name: str, title: str, about: str) -> Markup:
    """matplotlib's SVG as a part of a page: sized by the page, named, and coloured by the theme."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    for colour, variable in _THEME.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "sans-serif", text)
    opening, body = text.split(">", 1)
    box = opening.split('viewBox="')[1].split('"')[0]
    return Markup(
        f'<svg viewBox="{box}" role="img" aria-labelledby="{name}-title {name}-about" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-about">{escape(about)}</desc>{body}'
    )
