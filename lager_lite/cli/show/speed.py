"""Tables of what was measured on this machine."""

from __future__ import annotations

import click

from ...data import counted
from ...performance import DRIFT_METHODS, Drift, PeerTimes, Pruned, TapCost, Tuning, Workload, WritingCost
from .terminal import text_table, warn


def show_tap_cost(cost: TapCost) -> None:
    """Print what each tap costs, and what stopping early saves."""
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
    click.echo(text_table(("", "plain", *(c for t in taps for c in (f"{t.tap} tap", "ratio"))), rows))


def show_workload(found: Workload) -> None:
    """Print how fast the items were judged, against plain prefill."""
    click.echo(
        f"\n{counted(found.judgments, 'judgment')}, {found.prompt_tokens} prompt tokens, {found.unique_tokens} unique; "
        f"plain prefill of {found.median_tokens} tokens (the median) {found.plain:.0f} tokens/s in batches of {found.batch_size}\n"
        f"an evaluated token attends to {found.mean_depth:.0f} tokens on average; plain prefill at the same depth "
        f"{found.plain_at_depth:.0f} tokens/s\n"
    )
    runs = [found.whole] + ([found.early] if found.early else [])
    rows = [
        (
            f"0 to {r.max_state}",
            f"{r.seconds:.1f}",
            f"{r.judgments_per_second:.2f}",
            f"{r.tokens_per_second:.0f}",
            f"{r.share:.2f}",
            f"{r.share_at_depth:.2f}",
            f"{r.evaluated_tokens / found.unique_tokens:.3f}",
            f"{r.first_score:.2f}",
        )
        for r in runs
    ]
    head = (
        "states read",
        "seconds",
        "judgments/s",
        "tokens/s",
        "of plain",
        "of plain at the same depth",
        "evaluated/unique",
        "first score, s",
    )
    click.echo(text_table(head, rows))
    click.echo(
        f"\nrendering, tokenizing and planning: {found.prepare_seconds:.2f} s, "
        f"{found.prepare_share:.1%} of the time for states 0 to {found.whole.max_state}"
    )
    if found.peak_mb is not None:
        click.echo(f"peak memory {found.peak_mb:.0f} MB")
    click.echo(
        f"one by one against together, {counted(found.alone, 'item')}: largest difference {found.largest_difference:.2g} points"
    )


def show_peers(times: PeerTimes, found: Workload) -> None:
    """Print how much slower transformers judges a sample of the prompts."""
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
    click.echo("\n" + text_table(head, rows))


def show_writing(found: WritingCost) -> None:
    """Print how fast feedback is written together and one at a time, and whether the texts agree."""
    click.echo(
        f"{counted(found.n, 'text')} of up to {counted(found.most, 'token')} at temperature 0, medians of "
        f"{counted(found.rounds, 'round')}\n"
    )
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
    click.echo(text_table(head, rows) + f"\n\nthe same text: {found.n - len(found.different)} of {found.n}")
    if found.different_rows != len(found.different):
        click.echo(f"(with one row at a time, as timed: {found.n - found.different_rows} of {found.n})")
    for other in found.different:
        click.echo(
            f"text {other.prompt + 1} differs after {counted(other.tokens, 'token')}: the two likeliest lie {other.margin:.2g} apart there"
        )


def show_tuning(found: Tuning) -> None:
    """Print the candidates, the fastest of them, and where it was kept."""
    head = ("quantization", "MB", "tokens/s", "speed", "state drift", "layer drift", "uniform drift")
    rows = [
        (
            c.kind,
            f"{c.bytes / 1e6:.0f}",
            f"{c.tokens_per_second:.0f}",
            f"{c.ratio:.2f}",
            f"{c.state_drift:.1e}",
            f"{c.layer_drift:.3f}",
            f"{c.uniform_drift:.3f}",
        )
        for c in found.candidates
        if c.error is None
    ]
    click.echo(
        f"{found.model}, {counted(found.prompts, 'prompt')}; speed and drift against the file as it is (first row)\n"
    )
    click.echo(text_table(head, rows))
    warn(candidate.error for candidate in found.candidates if candidate.error)
    best = found.fastest
    click.echo(f"\nfastest here: {best.kind}, {best.ratio:.2f} of the file as it is")
    if found.kept:
        click.echo(
            f"kept as {found.kept}\nuse it with -m, or LAGER_LITE_MODEL; weights fitted on the source need --force, or a new fit"
        )


def show_drift(found: Drift) -> None:
    """Print how far each change moved the scores."""
    click.echo(f"{found.model}, {counted(found.judgments, 'judgment')}; largest difference of any score, in points\n")
    rows = [
        (f"{r.settings}, {r.change}", *(f"{r.points[m]:.1e}" for m in DRIFT_METHODS), f"{r.identical}")
        for r in found.rows
    ]
    click.echo(text_table(("settings, change", *DRIFT_METHODS, "same bits"), rows))


def show_pruned(found: Pruned) -> None:
    """Print what the copy holds, and its size before and after."""
    click.echo(
        f"{found.path}: {found.blocks} of {found.whole_blocks} blocks, states 0 to {found.max_state}, checked bit by bit\n"
        f"{found.bytes_before / 1e6:.1f} MB before, {found.bytes_after / 1e6:.1f} MB after"
    )
