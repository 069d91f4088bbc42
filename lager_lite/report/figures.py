"""Figures as SVG text for a page: no scripts, no fonts of their own, colours from the page's theme.

Drawn with matplotlib (extra `report`) without its global state, so a user's settings change nothing.
Every figure is WIDTH inches wide: at that size its text can be read on a phone, and a wide screen
enlarges it. Colours are written as CSS variables that `report.page` defines for light and dark.
"""

from __future__ import annotations

import html
import importlib.util
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import LagerError
from ..evaluation import Evaluation, FittedKind, LayerResult, MethodResult
from ..stats import Interval

# What matplotlib paints with, and what the page's theme makes of it.
INK, MUTED, GRID, FIRST, SECOND = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05"
_THEME = {INK: "ink", MUTED: "muted", GRID: "grid", FIRST: "first", SECOND: "second"}
WIDTH = 3.8
MOST_BOXES = 15
_SETTINGS = {
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
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
}


def check_matplotlib() -> None:
    """Raise LagerError where matplotlib is missing, before any work is done for a figure."""
    if importlib.util.find_spec("matplotlib") is None:
        raise LagerError("a report needs matplotlib, which is not installed", "pip install 'lager-lite[report]'")


def draw(name: str, paint: Callable[[Any], None], *, title: str, about: str, height: float = 2.6) -> str:
    """One figure as SVG text; `paint` gets a matplotlib Figure of WIDTH x height inches.

    name: letters and digits, different for each figure of a page: it starts every id in the SVG. title
    and about are read out in place of the figure; both are escaped here. Raises LagerError.
    """
    check_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        paint(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _clean(buffer.getvalue(), name, title, about)


def methods(name: str, methods: Sequence[MethodResult]) -> str:
    """Agreement of every method with its interval."""
    shown = [m for m in methods if m.overall.spearman is not None]

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        for place, method in enumerate(shown):
            colour = FIRST if method.tuned else MUTED
            if method.interval:
                axes.plot(
                    [method.interval.low, method.interval.high], [place, place], color=colour, linewidth=2.2, alpha=0.55
                )
            axes.plot([method.overall.spearman], [place], "o", color=colour, markersize=5)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_yticks(range(len(shown)), [m.name for m in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("Spearman correlation with people")

    about = "; ".join(f"{m.name} {m.overall.spearman:.3f}" for m in shown)
    return draw(
        name, paint, title="Agreement with people by method", about=about, height=0.75 + 0.26 * max(len(shown), 2)
    )


def layers(name: str, found: Sequence[LayerResult], best: MethodResult | None) -> str:
    """Agreement of every state alone, both lenses, with bands (the paper's Figure 2)."""

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        for lens, colour, label in (("raw", SECOND, "raw states"), ("norm", FIRST, "after the output norm")):
            mine = [one for one in found if one.lens == lens]
            states = [one.state for one in mine]
            line = [np.nan if one.spearman is None else one.spearman for one in mine]
            low, high = _band([one.interval for one in mine])
            axes.fill_between(states, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(states, line, "o-" if len(states) < 10 else "-", color=colour, label=label, markersize=3)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        if best and best.overall.spearman is not None:
            axes.axhline(
                best.overall.spearman, color=INK, linewidth=1.0, linestyle=(0, (4, 2)), label=f"{best.name} weights"
            )
        axes.set_xlabel("state (0: embedding)")
        axes.set_ylabel("Spearman with people")
        figure.legend(loc="outside upper left", ncols=2, handlelength=1.6, columnspacing=1.2)

    defined = [one for one in found if one.spearman is not None]
    top = max(defined, key=lambda one: abs(one.spearman), default=None)
    about = (
        f"Strongest alone: state {top.state}, {top.lens}, {top.spearman:.3f}" if top else "No state has a correlation"
    )
    return draw(name, paint, title="Agreement of every layer alone", about=about)


def weights(name: str, fitted: FittedKind, values: Sequence[float]) -> str:
    """The layer weights: bars, or a map of states and labels for kind full."""
    numbers = np.array(fitted.weights, dtype=float)
    peak = float(np.abs(numbers).max()) or 1.0

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=False)
        axes.set_xlabel("state (0: embedding)")
        if numbers.ndim == 1:
            axes.bar(range(len(numbers)), numbers, color=[FIRST if w >= 0 else SECOND for w in numbers], width=0.75)
            axes.axhline(0, color=MUTED, linewidth=0.8)
            axes.set_ylabel("weight")
            return
        from matplotlib.patches import Rectangle

        for (state, label), weight in np.ndenumerate(numbers):
            shade = {"color": FIRST if weight >= 0 else SECOND, "alpha": abs(weight) / peak, "linewidth": 0}
            axes.add_patch(Rectangle((state - 0.5, label - 0.5), 1, 1, **shade))
        axes.set_xlim(-0.5, len(numbers) - 0.5)
        axes.set_ylim(-0.5, numbers.shape[1] - 0.5)
        axes.set_yticks(range(len(values)), [f"{v:g}" for v in values])
        axes.set_ylabel("label")

    state = np.unravel_index(int(np.abs(numbers).argmax()), numbers.shape)[0]
    about = f"{numbers.shape[0]} states; the largest weight, {peak:.3g} in size, is on state {state}"
    return draw(name, paint, title=f"Layer weights, {fitted.kind}", about=about, height=1.9)


def predicted(
    name: str, human: Sequence[float], scores: Sequence[float], values: Sequence[float], *, title: str
) -> str:
    """Scores against human scores: a box per human score, or points where there are few."""
    x, y = np.asarray(human, dtype=float), np.asarray(scores, dtype=float)
    low, high = float(min(values)), float(max(values))
    edge = 0.06 * (high - low)

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.plot([low, high], [low, high], color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)))
        if x.size < 60:
            jitter = np.random.default_rng(0).uniform(-0.4, 0.4, x.size) * edge
            axes.plot(x + jitter, y, "o", color=FIRST, alpha=0.7, markersize=3.5, markeredgewidth=0)
        else:
            _boxes(axes, x, y, high - low)
        axes.set_xlim(low - edge, high + edge)
        axes.set_ylim(min(low, y.min()) - edge, max(high, y.max()) + edge)
        axes.set_xlabel("human score")
        axes.set_ylabel("score of the judge")

    about = f"{x.size} judgments; human mean {x.mean():.2f}, judge's mean {y.mean():.2f}, spread {y.std():.2f} against {x.std():.2f}"
    return draw(name, paint, title=title, about=about)


def distributions(name: str, columns: Sequence[tuple[str, Sequence[float]]], values: Sequence[float]) -> str:
    """How often each score occurs: one histogram below the other, on one scale. columns: (label, scores)."""
    every = np.concatenate([np.asarray(scores, dtype=float) for _, scores in columns])
    low, high = min(float(min(values)), every.min()), max(float(max(values)), every.max())
    edges = np.linspace(low, high + 1e-9, 33)

    def paint(figure: Any) -> None:
        panels = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
        for number, (axes, (label, scores)) in enumerate(zip(panels, columns)):
            share = np.histogram(scores, bins=edges)[0] / len(scores)
            axes.bar(
                edges[:-1],
                100 * share,
                width=np.diff(edges),
                align="edge",
                color=MUTED if number == 0 else FIRST,
                alpha=0.8,
            )
            axes.set_title(
                f"{label}: mean {np.mean(scores):.2f}, standard deviation {np.std(scores):.2f}", loc="left", pad=3
            )
            axes.set_ylabel("%")
        panels[-1].set_xlabel("score")

    about = "; ".join(f"{label}: mean {np.mean(s):.2f}, standard deviation {np.std(s):.2f}" for label, s in columns)
    return draw(name, paint, title="Distribution of scores", about=about, height=0.4 + 0.95 * len(columns))


def tradeoff(name: str, points: Sequence[tuple[int, float | None, Interval | None]]) -> str:
    """Agreement against the highest state that is read. points: (state, Spearman, interval)."""

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        low, high = _band([interval for *_, interval in points])
        states = [state for state, *_ in points]
        axes.fill_between(states, low, high, color=FIRST, alpha=0.16, linewidth=0)
        axes.plot(states, [np.nan if s is None else s for _, s, _ in points], "o-", color=FIRST, markersize=3.5)
        axes.set_xlabel("highest state that is read (the pass ends there)")
        axes.set_ylabel("Spearman with people")

    about = "; ".join(f"state {state}: {'undefined' if s is None else f'{s:.3f}'}" for state, s, _ in points)
    return draw(name, paint, title="Agreement against the highest state", about=about)


def shown_method(found: Evaluation) -> MethodResult | None:
    """The fitted method that the figures show: the verdict's; None where there is none."""
    return found.method(found.verdict.method) if found.verdict else None


def _boxes(axes: Any, x: np.ndarray, y: np.ndarray, span: float) -> None:
    places = np.unique(x)
    if len(places) > MOST_BOXES:
        edges = np.linspace(places[0], places[-1], 11)
        x = ((edges[:-1] + edges[1:]) / 2)[np.clip(np.searchsorted(edges, x, side="right") - 1, 0, 9)]
        places = np.unique(x)
    width = 0.35 * (float(np.diff(places).min()) if len(places) > 1 else span / 5)
    for place in places:
        p5, p25, p50, p75, p95 = np.quantile(y[x == place], [0.05, 0.25, 0.5, 0.75, 0.95])
        axes.plot([place, place], [p5, p95], color=FIRST, linewidth=0.9)
        axes.fill_between([place - width, place + width], p25, p75, color=FIRST, alpha=0.35, linewidth=0)
        axes.plot([place - width, place + width], [p50, p50], color=INK, linewidth=1.4)


def _band(found: Sequence[Interval | None]) -> tuple[list[float], list[float]]:
    return [np.nan if i is None else i.low for i in found], [np.nan if i is None else i.high for i in found]


def _clean(text: str, name: str, title: str, about: str) -> str:
    """matplotlib's SVG as a part of a page: sized by the page, named, coloured by the theme."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    for colour, variable in _THEME.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "sans-serif", text)
    box = re.search(r'viewBox="([^"]+)"', text).group(1)
    opening = (
        f'<svg viewBox="{box}" role="img" aria-labelledby="{name}-title {name}-about" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-about">{html.escape(about)}</desc>'
    )
    return opening + text[text.index(">", text.index("<svg")) + 1 :]
