"""The figures of an evaluation: methods, layers, weights and scores against people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from ..data import counted
from ..evaluation import Evaluation, FittedKind, LayerResult, MethodResult
from ..stats import Interval
from .figures import FIRST, INK, MUTED, SECOND, band, draw_figure, histogram, interval_dots, state_axis

FEW_POINTS = 60
# A mean of fewer scores than this would be drawn as a trend.
_LEAST_PART = 6
MOST_BOXES = 15


def methods(name: str, methods: Sequence[MethodResult]) -> Markup:
    """Agreement of every method with its interval."""
    rows = [(m.name, m.overall.spearman, m.interval, m.tuned) for m in methods if m.overall.spearman is not None]
    xlabel, title = "Spearman correlation with people", "Agreement with people by method"
    return interval_dots(name, rows, line=0, xlabel=xlabel, title=title)


def layers(name: str, found: Sequence[LayerResult], best: MethodResult | None) -> Markup:
    """Agreement of every state alone, both lenses, with bands (the paper's Figure 2)."""

    def paint(figure: Any) -> None:
        """Draw a line with its band for each lens."""
        axes = figure.add_subplot()
        for lens, colour, label in (("raw", SECOND, "raw states"), ("norm", FIRST, "after the output norm")):
            mine = [one for one in found if one.lens == lens]
            states = [one.state for one in mine]
            line = [np.nan if one.spearman is None else one.spearman for one in mine]
            low, high = band([one.interval for one in mine])
            axes.fill_between(states, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(states, line, "o-" if len(states) < 10 else "-", color=colour, label=label, markersize=3)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        if best and best.overall.spearman is not None:
            axes.axhline(
                best.overall.spearman, color=INK, linewidth=1.0, linestyle=(0, (4, 2)), label=f"{best.name} weights"
            )
        state_axis(axes)
        axes.set_ylabel("Spearman with people")
        figure.legend(loc="outside upper left", ncols=2, handlelength=1.6, columnspacing=1.2)

    defined = [(abs(one.spearman), one.spearman, one) for one in found if one.spearman is not None]
    about = "No state has a correlation"
    if defined:
        _, spearman, top = max(defined, key=lambda one: one[0])
        about = f"Strongest alone: state {top.state}, {top.lens}, {spearman:.3f}"
    return draw_figure(name, paint, title="Agreement of every layer alone", about=about)


def weights(name: str, fitted: FittedKind, values: Sequence[float]) -> Markup:
    """The layer weights: bars, or a map of states and labels for kind full."""
    numbers = np.array(fitted.weights, dtype=float)
    peak = float(np.abs(numbers).max()) or 1.0

    def paint(figure: Any) -> None:
        """Draw bars, or a map of states and labels."""
        axes = figure.add_subplot()
        axes.grid(visible=False)
        state_axis(axes)
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
        if numbers.shape[1] > len(values):
            axes.axhline(len(values) - 0.5, color=INK, linewidth=0.8)
        axes.set_yticks(range(numbers.shape[1]), [f"{v:g}" for v in values] * (numbers.shape[1] // len(values)))
        axes.set_ylabel("label")

    state = np.unravel_index(int(np.abs(numbers).argmax()), numbers.shape)[0]
    about = f"{numbers.shape[0]} states; the largest weight, {peak:.3g} in size, is on state {state}"
    return draw_figure(name, paint, title=f"Layer weights, {fitted.kind}", about=about, height=1.9)


def predicted(
    name: str, human: Sequence[float], scores: Sequence[float], values: Sequence[float], *, title: str
) -> Markup:
    """Scores against human scores: a box per human score, or points where there are few."""
    x, y = np.asarray(human, dtype=float), np.asarray(scores, dtype=float)
    low, high = float(min(values)), float(max(values))
    edge = 0.06 * (high - low)

    def paint(figure: Any) -> None:
        """Draw a box per human score, or points."""
        axes = figure.add_subplot()
        axes.plot([low, high], [low, high], color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)))
        if x.size < FEW_POINTS:
            jitter = np.random.default_rng(0).uniform(-0.4, 0.4, x.size) * edge
            axes.plot(x + jitter, y, "o", color=FIRST, alpha=0.7, markersize=3.5, markeredgewidth=0)
        else:
            _boxes(axes, x, y, high - low)
        axes.set_xlim(low - edge, high + edge)
        axes.set_ylim(min(low, y.min()) - edge, max(high, y.max()) + edge)
        axes.set_xlabel("human score")
        axes.set_ylabel("score of the judge")

    about = f"{counted(x.size, 'judgment')}; human mean {x.mean():.2f}, judge's mean {y.mean():.2f}, spread {y.std():.2f} against {x.std():.2f}"
    return draw_figure(name, paint, title=title, about=about)


def distributions(name: str, columns: Sequence[tuple[str, Sequence[float]]], values: Sequence[float]) -> Markup:
    """How often each score occurs: one histogram below the other, on one scale. columns: (label, scores)."""
    every = np.concatenate([np.asarray(scores, dtype=float) for _, scores in columns])
    low, high = min(float(min(values)), every.min()), max(float(max(values)), every.max())
    edges = np.linspace(low, high + 1e-9, 33)

    def paint(figure: Any) -> None:
        """Draw one histogram below the other."""
        panels = figure.subplots(len(columns), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for number, (axes, (label, scores)) in enumerate(zip(panels, columns)):
            histogram(axes, scores, edges, MUTED if number == 0 else FIRST, percent=True)
            axes.set_title(
                f"{label}: mean {np.mean(scores):.2f}, standard deviation {np.std(scores):.2f}", loc="left", pad=3
            )
            axes.set_ylabel("%")
        panels[-1].set_xlabel("score")

    about = "; ".join(f"{label}: mean {np.mean(s):.2f}, standard deviation {np.std(s):.2f}" for label, s in columns)
    return draw_figure(name, paint, title="Distribution of scores", about=about, height=0.4 + 0.95 * len(columns))


def tradeoff(name: str, points: Sequence[tuple[int, float | None, Interval | None]]) -> Markup:
    """Agreement against the highest state that is read. points: (state, Spearman, interval)."""

    def paint(figure: Any) -> None:
        """Draw the line with its band."""
        axes = figure.add_subplot()
        low, high = band([interval for *_, interval in points])
        states = [state for state, *_ in points]
        axes.fill_between(states, low, high, color=FIRST, alpha=0.16, linewidth=0)
        axes.plot(states, [np.nan if s is None else s for _, s, _ in points], "o-", color=FIRST, markersize=3.5)
        state_axis(axes, "highest state that is read (the pass ends there)")
        axes.set_ylabel("Spearman with people")

    about = "; ".join(f"state {state}: {'undefined' if s is None else f'{s:.3f}'}" for state, s, _ in points)
    return draw_figure(name, paint, title="Agreement against the highest state", about=about)


def parts_by_length(n: int) -> int:
    """How many parts of equal size have a mean in `against_length`, of n scores."""
    return max(1, min(10, n // _LEAST_PART))


def against_length(name: str, found: Evaluation, shown: MethodResult) -> Markup:
    """Scores of a method against the words of the response, and people's scores beside them, with the means of `parts_by_length` parts."""
    words = np.expm1(np.array(found.length))
    panels = ((shown.name, np.array(shown.calibrated or shown.raw), FIRST), ("people", np.array(found.human), MUTED))
    parts = np.array_split(np.argsort(words, kind="stable"), parts_by_length(words.size))
    jitter = np.random.default_rng(0).uniform(-0.12, 0.12, words.size)

    few = words.size < FEW_POINTS
    dots = {"alpha": 0.7, "markersize": 3.5} if few else {"alpha": 0.35, "markersize": 2.2}

    def paint(figure: Any) -> None:
        """Draw the judge's scores and people's side by side."""
        for axes, (label, scores, colour) in zip(figure.subplots(1, 2, sharex=True, sharey=True), panels):
            axes.plot(words, scores + jitter, "o", color=colour, markeredgewidth=0, **dots)
            axes.plot([words[p].mean() for p in parts], [scores[p].mean() for p in parts], color=INK, linewidth=1.4)
            axes.set_title(label, loc="left", pad=3)
            axes.set_xlabel("words of the response")
        figure.axes[0].set_ylabel("score")

    about = "; ".join(
        f"{label}: {scores[parts[0]].mean():.2f} for the shortest part, {scores[parts[-1]].mean():.2f} for the longest"
        for label, scores, _ in panels
    )
    return draw_figure(name, paint, title="Score against length", about=about)


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
