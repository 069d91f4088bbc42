"""The study of agreement as tables: what a row holds, and how it is written in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    - `at_surface`: the same at equal surface (partial, given the surface baseline's out-of-fold score).
    - `with_length`: Spearman correlation with the logarithm of the number of words.
    - `gain`: its agreement minus that of the best of the baselines; None for these.
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
    """The whole study as Markdown: what it shows in one paragraph, then one table per set."""
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
    """On how many sets a method agrees better with people than baselines without a model do, in a few sentences."""
    easy = [table for table in tables if table.over_easy is not None and table.over_easy[1] > 0]
    hard = [table for table in tables if table.gain is not None and table.gain[1] > 0]
    left = [table for table in tables if table.strict is not None and table.strict[1] > 0]
    tried = f"{len(tables)} combinations with {len({t.backbone for t in tables})} backbones"
    return (
        f"On {len({t.set for t in easy})} of {len({t.set for t in tables})} sets ({tried}) the best method agrees with "
        f"people better than the better of length and surface does, with an interval of the gain above 0 that allows "
        f"for the choice among methods: {_named(easy, 'over_easy')}. It is above a bag of words, too, on "
        f"{_named(hard, 'gain')}; with intervals that also allow for all {len(tables)} combinations, on "
        f"{_named(left, 'strict')}. {_without_labels(tables)}"
    )


def _named(tables: Sequence[Table], figure: str) -> str:
    """Set, backbone, method and gain of every table."""
    found = [
        f"{table.set} with {SHORT.get(table.backbone, table.backbone)} (`{table.best}`, {text_of(getattr(table, figure))})"
        for table in tables
    ]
    return "; ".join(found) if found else "no set"


def _without_labels(tables: Sequence[Table]) -> str:
    """Where the model's own expected score, which needs no label, is above the best baseline, in a sentence."""
    found = [
        f"{table.set} with {SHORT.get(table.backbone, table.backbone)} ({text_of(row.gain)})"
        for table in tables
        for row in table.rows
        if row.method == "e_score" and row.gain is not None and row.gain[1] > 0
    ]
    return f"Without labels, `e_score` is above the best baseline on {'; '.join(found) if found else 'no set'}."


_HEAD = "| backbone | method | Spearman | at equal surface | with length | gain on the best baseline |"


def _line(backbone: str, row: Row) -> str:
    name = f"*{row.method}*" if row.method in BASELINES else f"`{row.method}`"
    length = "-" if row.with_length is None else f"{row.with_length:.2f}"
    return f"| {backbone} | {name} | {text_of(row.agreement)} | {text_of(row.at_surface)} | {length} | {text_of(row.gain)} |"


def text_of(figure: tuple[float, float, float] | None) -> str:
    return "-" if figure is None else "{:.3f} [{:.3f}, {:.3f}]".format(*figure)
