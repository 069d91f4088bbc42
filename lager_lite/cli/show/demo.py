"""What `demo` found."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ...data import counted
from ...judging import Ordering, Summary
from ...records import Item, Judgment
from .terminal import text_table

# The legacy kinds for which llama.cpp has no repacked kernels on any CPU.
_SLOW = ("Q4_1", "Q5_0", "Q5_1")
_MEANING = {
    "length": "no model: the longer summary",
    "direct": "the last layer's most likely score",
    "e_score": "the last layer's expected score",
    "uniform": "all layers, equal weights",
    "tuned": "all layers, fitted weights",
}


def show_demo(
    found: Ordering,
    items: Sequence[Item],
    judgments: Sequence[Judgment],
    result: Summary,
    *,
    seconds: float,
    on_cpu: str | None,
) -> None:
    """Print how often each method was right, the first text's summaries, and what it took.

    seconds: of the whole command, loading included. on_cpu: the quantization of a model that runs on the CPU alone
    and with llama.cpp's own products; None for any other.
    """
    click.echo(
        f"\nHow often the better of two summaries of one text gets the higher score ({counted(found.pairs, 'pair')}; chance 50%):\n"
    )
    rows = [(name, _MEANING[name], f"{share:.0%}") for name, share in found.right.items()]
    click.echo(text_table(("method", "what it reads", "right"), rows))
    click.echo(
        "\nThe texts are 10 and their style tells much: this shows how the program works, and not that the model judges.\n"
        "`lager-lite docs evidence` shows what length and style alone reach."
    )
    first = [(i, j) for i, j in zip(items, judgments) if i.group == items[0].group]
    click.echo("\nThe summaries of the first text, best first:\n")
    ranked = sorted(first, key=lambda pair: -pair[0].human[""][0])
    rows = [(i.fields["response"][:60].replace("\n", " "), f"{i.human[''][0]:g}", f"{j.score:.2f}") for i, j in ranked]
    click.echo(text_table(("summary", "written as", "score"), rows))
    counts = result.counts
    click.echo(
        f"\n{counted(len(judgments), 'judgment')} in {seconds:.1f} s, loading included; "
        f"{counts.evaluated_tokens} of {counts.prompt_tokens} prompt tokens evaluated, the rest was shared or stored."
    )
    if on_cpu in _SLOW:
        click.echo(
            f"Files of kind {on_cpu} are slow on many CPUs: `lager-lite models tune` measures others here, "
            "and keeps the fastest with --apply."
        )
    click.echo(f"Speed: {counts.evaluated_tokens / max(result.seconds, 1e-9):,.0f} evaluated tokens per second.")
