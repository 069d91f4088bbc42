"""One self-contained HTML page: works offline, on a phone, in print, light and dark; no scripts.

The frame (`page`, `table`, `figure`, `note`) is for every command that writes a page. Text is
escaped unless it is `Html`, and only functions here and in `figures` make `Html`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..evaluation import Evaluation, MethodResult, Origin
from ..stats import Interval
from ..system import write_beside
from . import figures

Tradeoff = Sequence[tuple[int, "float | None", "Interval | None"]]

_STYLE = """
:root { color-scheme: light dark; --back: #ffffff; --card: #f6f7f9; --ink: #1b1f24; --muted: #5c6670; --grid: #dfe3e8;
  --first: #1d5fae; --second: #b4501a; --warn: #8a4b00; --warnback: #fff4e0; }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --card: #1d2125; --ink: #e8eaed; --muted: #a3acb5;
  --grid: #363c43; --first: #7fb5f2; --second: #f2a56b; --warn: #ffc872; --warnback: #332710; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .75rem; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; overflow-wrap: anywhere; } .lead { font-size: 1.15rem; }
.notes { border-left: .25rem solid var(--warn); background: var(--warnback); padding: .5rem 1rem; margin: 1rem 0;
  max-width: 46rem; } .notes ul { margin: 0; padding-left: 1.1rem; overflow-wrap: anywhere; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); margin: 1rem 0; }
.grid > :only-child { max-width: 40rem; }
figure { margin: 0; background: var(--card); border-radius: .5rem; padding: .75rem; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; max-width: 40rem; margin: 0 auto; }
figcaption { color: var(--muted); font-size: .9rem; margin-top: .5rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .75rem 0; } .scroll:focus-visible { outline: 2px solid var(--first); }
table { border-collapse: separate; border-spacing: 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--grid); text-align: right; vertical-align: top; }
td { white-space: nowrap; } th { font-weight: 600; } th:first-child { text-align: left; padding-left: 0;
  white-space: nowrap; position: sticky; left: 0; background: var(--back); }
thead th { color: var(--muted); vertical-align: bottom; } tr.strong > * { font-weight: 700; }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
@media print { :root { color-scheme: light; --back: #ffffff; --card: #ffffff; --ink: #000000; --muted: #444444;
  --grid: #cccccc; --first: #1d5fae; --second: #b4501a; --warn: #8a4b00; --warnback: #ffffff; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; } .scroll { overflow: visible; } table { font-size: 8.5pt; }
  th, td { padding: .2rem .4rem; } figure, tr, .scroll, .notes { break-inside: avoid; } h2 { break-after: avoid; }
  .grid { grid-template-columns: 1fr 1fr; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


class Html(str):
    """Text that is HTML already: nothing in it is escaped again."""


def check_report() -> None:
    """Raise LagerError where a report cannot be made on this machine; call it before any work."""
    figures.check_matplotlib()


def page(title: str, lead: str, sections: Sequence[tuple[str, Sequence[str]]], *, notes: Sequence[str] = ()) -> str:
    """The whole page. lead: what was found, in a sentence; notes: warnings, shown before the sections.

    sections: (heading, parts); a part that is not Html becomes a paragraph.
    """
    body = [f"<h1>{_text(title)}</h1>", f'<p class="lead">{_text(lead)}</p>', note(notes)]
    for heading, parts in sections:
        shown = [p if isinstance(p, Html) else f"<p>{_text(p)}</p>" for p in parts]
        body.append(f"<section><h2>{_text(heading)}</h2>\n" + "\n".join(shown) + "</section>")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{_text(title)}</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head>\n<body><main>\n'
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def note(lines: Sequence[str]) -> Html:
    """A box of warnings; nothing where there are none."""
    if not lines:
        return Html("")
    entries = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return Html(f'<div class="notes" role="note" aria-label="Warnings"><ul>{entries}</ul></div>')


def figure(svg: str, caption: str) -> Html:
    """A figure of `figures` with its caption."""
    return Html(f"<figure>{svg}<figcaption>{_text(caption)}</figcaption></figure>")


def side_by_side(parts: Sequence[Html]) -> Html:
    """Figures next to each other where there is room."""
    return Html(f'<div class="grid">{"".join(parts)}</div>')


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, label: str, strong: str | None = None) -> Html:
    """A table that scrolls inside itself: first column names, the others figures.

    label: what it is, read out; strong: the name of a row to stress.
    """
    top = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in head)
    lines = []
    for name, *cells in rows:
        mark = ' class="strong"' if name == strong else ""
        lines.append(
            f'<tr{mark}><th scope="row">{_text(name)}</th>' + "".join(f"<td>{_text(c)}</td>" for c in cells) + "</tr>"
        )
    return _scrolling(f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>", label)


def facts(rows: Sequence[tuple[str, str]], *, label: str) -> Html:
    """A table of two columns, name and text."""
    lines = "".join(f'<tr><th scope="row">{_text(n)}</th><td>{_text(v)}</td></tr>' for n, v in rows)
    return _scrolling(f'<table class="facts"><tbody>{lines}</tbody></table>', label)


def made(origin: Origin, more: Sequence[tuple[str, str]] = ()) -> tuple[str, list[str]]:
    """The section that says how a page's figures were made. more: rows of its table beside those of origin."""
    counts = origin.judgments
    seconds = (
        [("seconds", ", ".join(f"{name} {value:.1f}" for name, value in origin.seconds.items()))]
        if origin.seconds
        else []
    )
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
        *seconds,
        *more,
        ("versions", _pairs(origin.versions)),
        ("date", origin.date),
    ]
    return "How this was made", [facts(rows, label="How this was made")]


def write_page(path: str | Path, text: str) -> None:
    """Write a page, complete or not at all. Raises OutputError where it cannot be written."""
    write_beside(path, lambda file: file.write(text), text=True)


def write_report(path: str | Path, evaluation: Evaluation, origin: Origin, tradeoff: Tradeoff | None = None) -> None:
    """The page of one evaluation. tradeoff: (highest state, Spearman, interval) of shorter passes.

    Raises LagerError where matplotlib is missing, OutputError where `path` cannot be written.
    """
    write_page(path, report(evaluation, origin, tradeoff))


def report(evaluation: Evaluation, origin: Origin, tradeoff: Tradeoff | None = None) -> str:
    """The page of `write_report` as text."""
    best = figures.shown_method(evaluation)
    how = f"cross-validated in {evaluation.folds} folds" if evaluation.folds else "with given weights"
    sections = [
        ("Methods", _methods(evaluation, best)),
        *_criteria(evaluation, best),
        ("Layers", _layers(evaluation, best)),
    ]
    sections.append(("Scores", _scores(evaluation, best)))
    if tradeoff:
        shown = figure(
            figures.tradeoff("tradeoff", tradeoff), "Agreement when the pass ends at a lower state: what time buys."
        )
        sections.append(("Shorter passes", [side_by_side([shown])]))
    split = (
        f"{evaluation.folds} folds by group, seed {evaluation.seed}"
        if evaluation.folds
        else f"none, seed {evaluation.seed}"
    )
    sections.append(made(origin, [("split", split)]))
    lead = evaluation.verdict.text if evaluation.verdict else "No fitted method has a correlation with people here."
    sections[0][1].insert(0, f"{evaluation.n} judgments in {evaluation.groups} groups, {how}, by {origin.model}.")
    return page(f"Agreement with people: {origin.data}", lead, sections, notes=evaluation.warnings)


def _methods(found: Evaluation, best: MethodResult | None) -> list[str]:
    head = (
        "method",
        "Spearman",
        "95% interval",
        "Pearson",
        "Kendall",
        "MAE",
        "MAE calibrated",
        "gain on e_score",
        "its interval",
    )
    rows = [
        (
            m.name,
            _number(m.overall.spearman),
            _span(m.interval),
            _number(m.overall.pearson),
            _number(m.overall.kendall),
            _number(m.overall.mae, 2),
            _number(m.calibrated_mae, 2),
            _number(m.gain and m.gain.value) if m.gain else "",
            _span(m.gain.interval) if m.gain else "",
        )
        for m in found.methods
    ]
    caption = "Rank agreement with the mean human score; bars are 95% intervals over groups. Fitted weights in colour."
    parts: list[str] = [
        side_by_side([figure(figures.methods("methods", found.methods), caption)]),
        table(head, rows, label="Methods", strong=best.name if best else None),
        "MAE is the mean absolute error in points of the scale. Every score is from weights and a calibration that "
        "have not seen the item's group."
        if found.folds
        else "The given weights are used as they are. MAE is the mean absolute error in points of the scale.",
    ]
    if found.ceiling and found.ceiling.leave_one_out is not None:
        parts.append(f"One annotator against the mean of the others: Spearman {found.ceiling.leave_one_out:.3f}.")
    return parts


def _criteria(found: Evaluation, best: MethodResult | None) -> list[tuple[str, list[str]]]:
    names = list(found.methods[0].criteria)
    if len(names) < 2:
        return []
    rows = [(m.name, *(_number(m.criteria[n].spearman) for n in names)) for m in found.methods]
    rows.append(("judgments", *(str(found.methods[0].criteria[n].n) for n in names)))
    return [("Criteria", [table(("Spearman", *names), rows, label="Criteria", strong=best.name if best else None)])]


def _layers(found: Evaluation, best: MethodResult | None) -> list[str]:
    parts = [
        figure(
            figures.layers("layers", found.layers, best),
            "Each state's own expected score against people, with 95% bands; below zero, a layer ranks the wrong way round.",
        )
    ]
    for number, fitted in enumerate(found.fitted):
        text = f"Weights of kind {fitted.kind}, fitted on all items, lens {fitted.lens}"
        text += "" if fitted.strength is None else f", ridge {fitted.strength:g}"
        if fitted.kind == "tuned":
            text = f"The given weights, lens {fitted.lens}"
        if fitted.weights and isinstance(fitted.weights[0], tuple):
            text += ". Deeper colour, larger weight; blue: a higher logit raises the score, orange: it lowers it"
        parts.append(figure(figures.weights(f"weights{number}", fitted, found.values), text + "."))
    return [side_by_side(parts)]


def _scores(found: Evaluation, best: MethodResult | None) -> list[str]:
    shown = best or found.method("uniform" if any(m.name == "uniform" for m in found.methods) else "e_score")
    columns = [("people", found.human), (f"{shown.name}, raw", shown.raw)]
    box = "Bar: median, box: middle half, line: middle 90%; dashed: perfect agreement."
    before = f"Method {shown.name}: raw expected scores"
    after = f"Method {shown.name}: calibrated onto the human scale"
    parts = [
        figure(figures.predicted("before", found.human, shown.raw, found.values, title=before), f"{before}. {box}")
    ]
    if shown.calibrated is not None:
        columns.append((f"{shown.name}, calibrated", shown.calibrated))
        parts.append(
            figure(
                figures.predicted("after", found.human, shown.calibrated, found.values, title=after), f"{after}. {box}"
            )
        )
    spread = figures.distributions("spread", columns, found.values)
    parts.append(figure(spread, "How often each score occurs: people, and the judge before and after calibration."))
    return [side_by_side(parts)]


def _pairs(given: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in given.items())


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _span(interval: Interval | None) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}" if interval else "-"


def _scrolling(inner: str, label: str) -> Html:
    return Html(f'<div class="scroll" role="region" tabindex="0" aria-label="{_text(label)}">{inner}</div>')


def _text(text: str) -> str:
    return html.escape(str(text))
