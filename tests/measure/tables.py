"""The study of agreement as tables: what a row holds, and how it is written in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lager_lite.data import counted
from tests.measure.backbones import REAL

BASELINES = ("length", "surface", "words")
BF16 = "-bf16"
BARE = "states, no source"
"""Kind states on prompts without the text that the judgment is about: what the rest of the prompt tells alone."""
ABOUT = (
    {name: real.about for name, real in REAL.items()}
    | {name + BF16: f"{real.about.rpartition(', ')[0]}, BF16 copy of its Q4_K_M file" for name, real in REAL.items()}
    | {"default": "SmolLM2-135M-Instruct, Q4_1 (the default)"}
)
"""What a backbone is, by the name of its folder; a folder for a BF16 copy ends with BF16."""
SHORT = {
    "default": "SmolLM2 135M",
    "gemma3-270m": "Gemma 270M",
    "qwen-coder-0.5b": "Qwen 0.5B",
    "qwen-coder-1.5b": "Qwen 1.5B",
    "qwen-coder-1.5b-bf16": "Qwen 1.5B (BF16 copy)",
}
"""What the tables call it; a folder that is not here by its own name."""


@dataclass(frozen=True)
class Row:
    """One method on one set with one backbone; (value, low, high) each, None where undefined.

    - `method`: its name.
    - `agreement`: Spearman correlation with people.
    - `at_surface`: the same at equal surface (partial, given the length and the surface baseline's out-of-fold score).
    - `with_length`: Spearman correlation with the number of words.
    - `gain`: its agreement minus that of the best of the baselines, on an equal footing; None for these.
    """

    method: str
    agreement: tuple[float, float, float] | None
    at_surface: tuple[float, float, float] | None
    with_length: float | None
    gain: tuple[float, float, float] | None


@dataclass(frozen=True)
class Table:
    """All methods on one set with one backbone.

    - `backbone`, `set`: their names.
    - `judgments`, `groups`, `splits`: how many there are.
    - `base`: the baseline that agrees best.
    - `best`: the method that agrees best.
    - `gain`: its gain on `base`, with an interval that allows for its having been chosen; None where undefined.
    - `strict`: the same with an interval that also allows for all the combinations of the study (Bonferroni).
    - `rows`: the methods.
    - `over_easy`: gain of `best` on the better of length and surface, with an interval as that of `gain`.
    - `over_bare`: gain of `states` on the same without the text that was judged against; None where it was not read.
    """

    backbone: str
    set: str
    judgments: int
    groups: int
    splits: int
    base: str
    best: str
    gain: tuple[float, float, float] | None
    strict: tuple[float, float, float] | None
    rows: tuple[Row, ...]
    over_easy: tuple[float, float, float] | None = None
    over_bare: tuple[float, float, float] | None = None


def markdown(tables: Sequence[Table]) -> str:
    """The whole study as Markdown: what it shows, then one table per set."""
    legend = [f"{SHORT[t.backbone]} is {ABOUT[t.backbone]}" for t in tables if t.backbone in SHORT]
    lines = [verdict(tables), "", *(["; ".join(dict.fromkeys(legend)) + ".", ""] if legend else [])]
    for name in dict.fromkeys(table.set for table in tables):
        mine = [table for table in tables if table.set == name]
        first = mine[0]
        lines += [f"### {name}: {first.judgments} judgments in {first.groups} groups, {first.splits} splits", ""]
        lines += [_HEAD, "| --- | --- | --- | --- | --- | --- |"]
        # They read no model, so they are the same beside every backbone.
        lines += [_line("no model", row) for row in first.rows if row.method in BASELINES]
        for table in mine:
            about = SHORT.get(table.backbone, table.backbone)
            lines += [_line(about, row) for row in table.rows if row.method not in BASELINES]
        lines += [""]
        for table in mine:
            about = SHORT.get(table.backbone, table.backbone)
            line = f"- {about}: gain of the best method (`{table.best}`) on *{table.base}* {text_of(table.gain)}"
            if table.base == "words":
                line += f", on the better of length and surface {text_of(table.over_easy)}"
            if table.over_bare is not None:
                line += f"; of `states` on `{BARE}` {text_of(table.over_bare)}"
            lines += [line]
        lines += [""]
    return "\n".join(lines)


def verdict(tables: Sequence[Table]) -> str:
    """On how many sets a method agrees better with people than baselines without a model do: sentences and a table."""
    above = [table for table in tables if _above(table.over_easy)]
    names = len({table.set for table in tables})
    easy, hard, left = (
        len({table.set for table in tables if _above(getattr(table, figure))})
        for figure in ("over_easy", "gain", "strict")
    )
    lines = [
        f"{counted(names, 'set')} and {counted(len({t.backbone for t in tables}), 'backbone')} make "
        f"{counted(len(tables), 'combination')}. In each the method that agrees best was compared with baselines that read no "
        "model; intervals allow for the choice of the best.",
        "",
        f"- It is above length and surface on {easy} of {counted(names, 'set')}.",
        f"- It is above a bag of words, too, on {hard}.",
        f"- With intervals that also allow for all {counted(len(tables), 'combination')}, that holds on {left}.",
        f"- {_without_labels(tables)}",
    ]
    if above:
        lines += ["", "These are the combinations of the first point; gains whose interval is above 0 are bold:", ""]
        lines += [
            "| set | backbone | method | gain on length and surface | on words, too | the same, for all combinations |"
        ]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
    for table in above:
        backbone = SHORT.get(table.backbone, table.backbone)
        gains = " | ".join(_bold(figure) for figure in (table.over_easy, table.gain, table.strict))
        lines += [f"| {table.set} | {backbone} | `{table.best}` | {gains} |"]
    return "\n".join(lines)


def _above(figure: tuple[float, float, float] | None) -> bool:
    return figure is not None and figure[1] > 0


def _bold(figure: tuple[float, float, float] | None) -> str:
    return f"**{text_of(figure)}**" if _above(figure) else text_of(figure)


def _without_labels(tables: Sequence[Table]) -> str:
    """Where the model's own expected score, which needs no label, is above the best baseline, in a sentence."""
    found = [
        f"{table.set} with {SHORT.get(table.backbone, table.backbone)} ({text_of(row.gain)})"
        for table in tables
        for row in table.rows
        if row.method == "e_score" and _above(row.gain)
    ]
    return f"Without labels, `e_score` is above the best baseline on {'; '.join(found) if found else 'no set'}."


_HEAD = "| backbone | method | Spearman | at equal surface | with length | gain on the best baseline |"


def _line(backbone: str, row: Row) -> str:
    name = f"*{row.method}*" if row.method in BASELINES else f"`{row.method}`"
    return f"| {backbone} | {name} | {' | '.join(cells_of(row))} |"


def cells_of(row: Row) -> tuple[str, str, str, str]:
    """The figures of a row; - where one is of no use for a method, such as the gain of a baseline on itself."""
    surface = "-" if row.method in ("length", "surface") else text_of(row.at_surface)
    length = "-" if row.with_length is None else f"{row.with_length:.2f}"
    return text_of(row.agreement), surface, length, "-" if row.method in BASELINES else text_of(row.gain)


def text_of(figure: tuple[float, float, float] | None) -> str:
    return "undefined" if figure is None else "{:.3f} [{:.3f}, {:.3f}]".format(*figure)
