"""Tables of what judgments are used for: ranking, selection, knowledge and inspection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ...data import counted
from ...stats import Interval
from ...tasks import Accuracy, Estimated, Example, Inspection, Knower, Layer, Preferences, Selection, SelfKnowledge
from .terminal import number, signed, span, text_table


def _accuracy_row(method: Accuracy) -> tuple[str, ...]:
    return (
        method.method,
        number(method.accuracy),
        span(method.interval),
        str(method.ties),
        *signed(method.over_baseline),
        number(method.near_accuracy),
    )


def show_ranking(result: Preferences, err: bool) -> None:
    """Print how often each method puts the better of two responses first; err: on stderr."""
    apart = f", without the {result.held_out} of either response" if result.held_out else ""
    fitted = f"; surface and weights fitted in {counted(result.folds, 'fold')}{apart}" if result.folds else ""
    click.echo(
        f"{counted(result.pairs, 'pair')} of {counted(result.contests, 'instruction')}, {counted(result.groups, 'group')}{fitted}\n",
        err=err,
    )
    gain = f"gain on {result.baseline}"
    head = ("method", "accuracy", "95% interval", "ties", gain, "95% interval", "equal length")
    click.echo(text_table(head, [_accuracy_row(m) for m in result.methods]), err=err)
    about = (
        f"equal length: accuracy on the {counted(result.near_pairs, 'pair')} whose lengths differ by less than a tenth"
    )
    click.echo(f"(length puts the longer response first; {about})", err=err)
    if result.verdict:
        click.echo(f"\n{result.verdict}", err=err)


def _example(example: Example) -> str:
    return (
        f"  {example.score:.3f}  row {example.row} ({example.id}): {example.instruction}\n         {example.response}"
    )


def selection_rule(given: Mapping[str, Any]) -> str:
    """The rule by which rows were kept, in words, from the options of `select`."""
    kept = f"score at least {given['min_score']:g}" if given["top"] is None else f"the top {given['top']}"
    shares = ", ".join(f"{name}={number:g}" for name, number in given["share"])
    combine = given["combine"] + (f" ({shares})" if shares else "")
    return f"{kept}; {combine} of the rubrics" + ("; duplicates left out" if given["dedupe"] else "")


def show_selection(found: Selection) -> None:
    """Print what was kept, what it is like, and the examples next to the cut."""
    click.echo(
        f"{found.chosen} of {counted(found.rows, 'row')} kept; {found.below} below the cut, {counted(found.duplicates, 'duplicate')}, "
        f"{found.failed} not judged; scores from {found.low:.3f} to {found.high:.3f}"
        + ("" if found.cut is None else f", cut at {found.cut:.3f}")
        + "\n"
    )
    rows = [(name, f"{every:.3f}", number(kept)) for name, (every, kept) in found.means.items()]
    every, kept = found.lengths
    rows.append(("response, characters", f"{every:.0f}", "-" if kept is None else f"{kept:.0f}"))
    click.echo(text_table(("mean", "all judged", "kept"), rows))
    if found.by_length is not None:
        click.echo(f"\nSpearman correlation of the score with the length of the response: {found.by_length:+.3f}")
    for title, examples in (("Lowest kept", found.worst_kept), ("Highest left out", found.best_dropped)):
        if examples:
            click.echo(f"\n{title}\n" + "\n".join(map(_example, examples)))


def _figure(value: float | None, interval: Interval | None) -> str:
    return f"{number(value)} {span(interval)}" if interval else number(value)


def _knower_row(knower: Knower) -> tuple[str, ...]:
    rule, best = knower.rule, knower.best
    parts = [f"{p:.2f}/{r:.2f}" if p is not None else "-" for p, r in ((best.precision, best.recall),)]
    return (
        knower.method,
        _figure(rule.f1, rule.interval),
        str(rule.found),
        _figure(best.f1, best.interval),
        str(best.found),
        *parts,
        _figure(knower.curve.average, knower.curve.interval),
    )


def show_knowledge(result: SelfKnowledge) -> None:
    """Print how well each method tells unanswerable questions from answerable ones."""
    click.echo(
        f"{counted(result.n, 'question')} in {counted(result.groups, 'group')}, {result.unanswerable} of them unanswerable; {counted(result.folds, 'fold')}\n"
    )
    head = ("method", "F1, rule of 0.75", "called", "F1, best threshold", "called", "prec/recall", "average precision")
    click.echo(text_table(head, [_knower_row(m) for m in result.methods]))
    share = result.unanswerable / result.n
    click.echo(f"\nCalling every question unanswerable: F1 {result.everything:.3f}, precision {share:.3f}")
    click.echo(f"\n{result.verdict}" if result.verdict else "")


def _layer_row(layer: Layer, found: Inspection) -> tuple[str, ...]:
    return (
        str(layer.state),
        *(f"{100 * p:.0f}" for p in layer.probabilities),
        f"{layer.expected:.2f}",
        layer.label + ("" if layer.label == found.label else " *"),
        f"{layer.apart:.2f}",
        "" if layer.weight is None else f"{layer.weight:+.3f}",
        f"{layer.contribution:+.3f}",
    )


def show_inspections(found: Sequence[Inspection]) -> None:
    """Print one item's layers under each rubric, an empty line between them."""
    for place, one in enumerate(found):
        if place:
            click.echo()
        show_inspection(one)


def show_inspection(found: Inspection) -> None:
    """Print every state of one judgment, and how its contributions add up to the score."""
    judgment = found.judgment
    click.echo(f"rubric {found.rubric}: score {judgment.score:.3f}, by {found.by}")
    click.echo(
        f"direct {judgment.direct:g}, e_score {judgment.e_score:.3f}, uniform {judgment.uniform:.3f}; the labels hold "
        f"{judgment.mass:.1%} of the probability; {counted(judgment.tokens or 0, 'token')}\n"
    )
    head = ("state", *(f"%{label}" for label in found.labels), "expected", "label", "apart", "weight", "contribution")
    final = (
        "final",
        *(f"{100 * p:.0f}" for p in found.probabilities),
        f"{judgment.raw_score:.2f}",
        found.label,
        "",
        "",
        "",
    )
    click.echo(text_table(head, [*(_layer_row(layer, found) for layer in found.layers), final]))
    if found.settled is None:
        settled = f"the last state does not: it says {found.layers[-1].label}"
    else:
        settled = f"every state from {found.settled} on does"
    apart = sum(layer.label != found.label for layer in found.layers)
    click.echo(
        f"\n* {apart} of {len(found.layers)} states alone would not say {found.label}; {settled}. Their expected scores spread "
        f"by {found.spread:.2f} (standard deviation)."
    )
    added = sum(layer.contribution for layer in found.layers)
    bias = f" {found.bias:+.3f} (bias)" if found.bias else ""
    after = "" if judgment.score == judgment.raw_score else f", calibrated {judgment.score:.3f}"
    click.echo(f"{found.middle:g} (middle) {added:+.3f} (states){bias} = {judgment.raw_score:.3f}{after}")
    strongest = sorted(found.layers, key=lambda layer: -abs(layer.contribution))[:5]
    click.echo("largest contributions: " + ", ".join(f"state {s.state} {s.contribution:+.3f}" for s in strongest))


def show_estimated(found: Estimated) -> None:
    """Print the estimated mean beside that of the labels alone and of the judgments alone."""
    rows = [
        ("corrected", number(found.corrected.value), f"[{found.corrected.low:.3f}, {found.corrected.high:.3f}]"),
        ("labels alone", number(found.labels.value), f"[{found.labels.low:.3f}, {found.labels.high:.3f}]"),
        ("judgments alone", number(found.judged), ""),
    ]
    click.echo(text_table(("mean score", "value", "95% interval"), rows))
    click.echo(
        f"\n{counted(found.labelled, 'label')} in {counted(found.groups, 'group')}, {counted(found.unlabelled, 'judgment')}; "
        f"the judgments count {found.weight:.2f}"
    )
