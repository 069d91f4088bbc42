"""lager-lite bench"""

from __future__ import annotations

import json
from typing import Any

import click

from ...backbones import locate_model, open_model
from ...data import load_demo, read_items
from ...errors import DataError
from ...judging import Reasoning
from ...llama import Backbone
from ...performance import (
    PeerTimes,
    TapCost,
    Workload,
    WritingCost,
    apart,
    measure_peer,
    measure_workload,
    tap_cost,
    writing_cost,
)
from .. import show
from ..options import backend_settings, judge_options, open_judge
from .score import parse_map

ALONE = 10  # items judged one by one as well
TEXT = 48  # tokens of feedback that --generate writes


def _show_cost(cost: TapCost) -> None:
    taps = cost.taps
    rows = [
        (
            "prefill, tokens/s",
            f"{cost.prefill_plain:.1f}",
            *(c for t in taps for c in (f"{t.prefill:.1f}", f"{t.prefill_ratio:.3f}")),
        ),
        (
            "one-token decode, tokens/s",
            f"{cost.decode_plain:.1f}",
            *(c for t in taps for c in (f"{t.decode:.1f}", f"{t.decode_ratio:.3f}")),
        ),
    ]
    for cut in taps[0].early:
        rows.append(
            (f"stop after block {cut}, share of the time", "", *(c for t in taps for c in ("", f"{t.early[cut]:.3f}")))
        )
    click.echo(show.table(("", "plain", *(c for t in taps for c in (f"{t.tap} tap", "ratio"))), rows))


def _show_workload(found: Workload) -> None:
    click.echo(
        f"\n{found.judgments} judgments, {found.prompt_tokens} prompt tokens, {found.unique_tokens} unique; "
        f"plain prefill of {found.median_tokens} tokens (the median) {found.plain:.0f} tokens/s in batches of {found.batch_size}\n"
    )
    runs = [found.whole] + ([found.early] if found.early else [])
    rows = [
        (
            f"0 to {r.max_state}",
            f"{r.seconds:.1f}",
            f"{r.judgments_per_second:.2f}",
            f"{r.tokens_per_second:.0f}",
            f"{r.share:.2f}",
            f"{r.evaluated_tokens / found.unique_tokens:.3f}",
            f"{r.first_score:.2f}",
        )
        for r in runs
    ]
    head = ("states read", "seconds", "judgments/s", "tokens/s", "of plain", "evaluated/unique", "first score, s")
    click.echo(show.table(head, rows))
    if found.peak_mb is not None:
        click.echo(f"\npeak memory {found.peak_mb:.0f} MB")
    click.echo(
        f"one by one against together, {found.alone} items: largest difference {found.largest_difference:.2g} points"
    )


def _show_peers(times: PeerTimes, found: Workload) -> None:
    rows = []
    for name, seconds in (("one forward pass per prompt", times.single), ("the authors' recipe", times.authors)):
        if seconds is not None:
            runs = [found.whole] + ([found.early] if found.early else [])
            rows.append((name, f"{seconds:.3f}", *(f"{seconds * r.judgments_per_second:.1f}" for r in runs)))
    head = (
        "transformers, bfloat16",
        "s per judgment",
        *(f"x slower than 0 to {r.max_state}" for r in [found.whole, found.early] if r),
    )
    click.echo("\n" + show.table(head, rows))


def _show_writing(found: WritingCost) -> None:
    click.echo(f"{found.n} texts of up to {found.most} tokens at temperature 0, medians of {found.rounds} rounds\n")
    sides = (("together", found.together), ("one at a time", found.alone))
    rows = [
        (
            name,
            f"{w.rate:.1f}",
            f"{w.step_rate:.1f}",
            str(w.drawn),
            str(w.evaluated),
            f"{w.seconds:.1f}",
            f"{w.prompt_seconds:.1f}",
        )
        for name, w in sides
    ]
    rows.append(("ratio", f"{found.ratio:.2f}", f"{found.step_ratio:.2f}", "", "", "", ""))
    head = ("", "tokens/s", "without prompts", "drawn", "prompt tokens", "seconds", "of prompts")
    click.echo(show.table(head, rows) + f"\n\nthe same text: {found.n - len(found.different)} of {found.n}")
    if found.different_rows != len(found.different):
        click.echo(f"(with one row at a time, as timed: {found.n - found.different_rows} of {found.n})")
    for other in found.different:
        click.echo(
            f"text {other.prompt + 1} differs after {other.tokens} tokens: the two likeliest lie {other.margin:.2g} apart there"
        )


def _generate(given: dict[str, Any], items: str | None, rounds: int, as_json: bool) -> None:
    dataset = read_items(items, mapping=parse_map(given["mapping"])) if items else load_demo()
    with open_judge(given, reasoning=Reasoning(TEXT)) as judge:
        tasks = [judge.encode(item, rubric) for item in dataset.items for rubric in judge.rubrics]
        prompts = [t.prompt.tokens for t in tasks if t.prompt][: given["generate"]]
        if not prompts:
            raise DataError(f"{dataset.message}, and none of them can be judged: {tasks[0].error}")
        found = writing_cost(judge.backbone, prompts, most=TEXT, rounds=rounds)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        _show_writing(found)


@click.command("bench")
@click.argument("items", metavar="[ITEMS]", required=False)
@judge_options
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--tokens", type=click.IntRange(65), default=512, show_default=True, help="Length of the prompt.")
@click.option("--max-state", type=click.IntRange(0), help="Work through ITEMS again, stopping after this state.")
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the first N items.")
@click.option(
    "--generate",
    type=click.IntRange(1),
    metavar="K",
    help="Only how fast feedback is written for the first K judgments.",
)
@click.option(
    "--peer", type=click.Choice(["transformers"]), help="Compare with transformers on a sample (extra parity)."
)
@click.option("--map", "mapping", multiple=True, metavar="FIELD=KEY", help="Where a field stands in your rows.")
@click.option("--json", "as_json", is_flag=True)
def command(
    items: str | None,
    rounds: int,
    tokens: int,
    max_state: int | None,
    limit: int | None,
    peer: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Measure what reading all states costs and what stopping early saves, on this machine.

    With ITEMS (any file that `score` takes) also how fast they are judged: against plain prefill, the
    most that this machine can do, and with --peer against transformers. With --generate K only how
    fast feedback is written for K judgments together and one at a time, by default of the demo set.
    The store is not used.
    """
    if items is None and (max_state is not None or peer):
        raise click.UsageError("--max-state and --peer need ITEMS")
    given["no_store"], given["store_path"] = True, None
    if given["generate"]:
        if max_state is not None or peer or limit:
            raise click.UsageError("--generate K measures writing alone: leave out --max-state, --peer and -n")
        return _generate(given, items, rounds, as_json)
    path = locate_model(given["model"]).path
    quantization = open_model(path).info.quantization
    with Backbone(path, backend_settings(given)) as backbone:
        cost = tap_cost(backbone, tokens=tokens, rounds=rounds)
    if not as_json:
        click.echo(f"{path.name}, {quantization}, {cost.tokens} tokens, medians of {cost.rounds} rounds")
        _show_cost(cost)
    found = times = exact = None
    if items is not None:
        chosen = read_items(items, mapping=parse_map(given["mapping"])).items[:limit]
        with open_judge(given) as judge:
            found = measure_workload(judge, chosen, max_state=max_state, alone=ALONE)
            # What took minutes is shown at once: the peer may take as long again, or fail.
            if not as_json:
                _show_workload(found)
            prompts = [t.prompt.tokens for i in chosen for t in (judge.encode(i, r) for r in judge.rubrics) if t.prompt]
        if not given["exact"]:
            with open_judge({**given, "exact": True}) as judge:
                exact = apart(judge, chosen[:ALONE])
            if not as_json:
                click.echo(f"the same with --exact: {exact:.2g} points")
        times = measure_peer(path, prompts) if peer else None
    if as_json:
        rows = {"workload": found and found.to_dict(), "exact_difference": exact, "peer": times and times.to_dict()}
        click.echo(json.dumps({"model": path.name, "quantization": quantization, **cost.to_dict(), **rows}))
    elif found and times:
        _show_peers(times, found)
