"""lager-lite select"""

from __future__ import annotations

from typing import Any

import click

from ...data import write_rows
from ...evaluation import origin_of
from ...report import check_report, selection_notes, write_selected
from ...tasks import COMBINE, CRITERIA, Example, Pool, Selection, open_pool, score_pool, select, write_selection
from .. import show
from ..options import chosen_rubrics, data_options, open_weighted, report_option, shard_option, weighted_options
from ..shards import announce, check_shard, fill
from .score import parse_map


class Top(click.ParamType):
    """A number of rows (1000), or a share of them (0.1)."""

    name = "N|SHARE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        try:
            number = float(value) if "." in str(value) else int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number of rows (1000) nor a share (0.1)", param, ctx)
        if number <= 0 or (isinstance(number, float) and number > 1):
            self.fail(f"{value!r}: expected a number of rows from 1, or a share above 0.0 and up to 1.0", param, ctx)
        return number


def _shares(pairs: tuple[str, ...], names: list[str], combine: str) -> list[float] | None:
    """The shares of all rubrics, in their order, from `--share NAME=NUMBER`."""
    if (combine == "weights") != bool(pairs):
        raise click.UsageError("--combine weights and --share RUBRIC=NUMBER belong together")
    given: dict[str, float] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        try:
            given[name] = float(number)
        except ValueError:
            raise click.UsageError(f"--share {pair!r}: expected RUBRIC=NUMBER") from None
    if not pairs:
        return None
    if set(given) - set(names) or not 0 < sum(given.values()) < float("inf") or min(given.values()) < 0:
        raise click.UsageError(
            f"--share {pairs[0]}: name rubrics of this run ({', '.join(names)}) with numbers from 0, not all 0"
        )
    return [given.get(name, 0.0) for name in names]


def _checked(given: dict[str, Any]) -> list[float] | None:
    """The shares of the rubrics; what is wrong in the options is said before a model loads."""
    check_shard(given, ("top", "min_score", "output", "side", "json_path", "report", "share"))
    if given["shard"]:
        return None
    if (given["top"] is None) == (given["min_score"] is None):
        raise click.UsageError("give either --top or --min-score")
    if not given["output"]:
        raise click.UsageError("Missing option '-o' / '--output'.")
    if given["report"]:
        check_report()
    return _shares(given["share"], [rubric.name for rubric in chosen_rubrics(given)], given["combine"])


def _rule(given: dict[str, Any]) -> str:
    kept = f"score at least {given['min_score']:g}" if given["top"] is None else f"the top {given['top']}"
    combine = given["combine"] + (f" ({', '.join(given['share'])})" if given["share"] else "")
    return f"{kept}; {combine} of the rubrics" + ("; duplicates left out" if given["dedupe"] else "")


def _example(example: Example) -> str:
    return (
        f"  {example.score:.3f}  row {example.row} ({example.id}): {example.instruction}\n         {example.response}"
    )


def _show(found: Selection) -> None:
    click.echo(
        f"{found.chosen} of {found.rows} rows kept; {found.below} below the cut, {found.duplicates} duplicates, "
        f"{found.failed} not judged; scores from {found.low:.3f} to {found.high:.3f}"
        + ("" if found.cut is None else f", cut at {found.cut:.3f}")
        + "\n"
    )
    rows = [
        (name, f"{every:.3f}", "-" if kept is None else f"{kept:.3f}") for name, (every, kept) in found.means.items()
    ]
    every, kept = found.lengths
    rows.append(("response, characters", f"{every:.0f}", "-" if kept is None else f"{kept:.0f}"))
    click.echo(show.table(("mean", "all judged", "kept"), rows))
    if found.by_length is not None:
        click.echo(f"\nSpearman correlation of the score with the length of the response: {found.by_length:+.3f}")
    for title, examples in (("Lowest kept", found.worst_kept), ("Highest left out", found.best_dropped)):
        if examples:
            click.echo(f"\n{title}\n" + "\n".join(map(_example, examples)))


def _fill(given: dict[str, Any], pool: Pool) -> None:
    count = sum(map(given["shard"].holds, pool.items))
    announce(given["shard"], count)
    with open_weighted(given) as judge:
        fill(judge, filter(given["shard"].holds, pool.items), count)


@click.command("select")
@click.argument("data", metavar="DATA")
@weighted_options
@click.option("--top", type=Top(), help="Keep so many rows (1000), or this share of all rows (0.1).")
@click.option("--min-score", type=float, help="Keep rows with at least this combined score.")
@click.option(
    "--combine", type=click.Choice(COMBINE), default="mean", show_default=True, help="One score from several rubrics."
)
@click.option(
    "--share",
    multiple=True,
    metavar="RUBRIC=NUMBER",
    help="With --combine weights: how much a rubric counts; others 0.",
)
@click.option(
    "--dedupe", is_flag=True, help="Leave out rows whose instruction and response stood before, up to case and spacing."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    help="The kept rows, as they stand in DATA.  [required, unless --shard]",
)
@click.option(
    "--scores", "side", type=click.Path(dir_okay=False), help="Scores of all rows.  [default: OUTPUT.scores.jsonl]"
)
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the first N rows.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False), help="Write all figures to this file, too.")
@shard_option
@report_option
@data_options
@click.pass_context
def command(ctx: click.Context, data: str, **given: Any) -> None:
    """Keep the best rows of a training set (Alpaca, messages or ShareGPT, prompt and response).

    DATA is a JSON list or JSON Lines; kept rows are copied as they stand, in their order. Without -r the
    seven criteria for data selection are judged (see `rubrics list`). A run that was stopped goes on
    where it was: what is in the store is not evaluated again. --shard reads a part into the store and
    keeps nothing: when all stores are one (`store merge`), the same command without it reads them from there.
    """
    given["rubrics"] = given["rubrics"] or tuple(CRITERIA)
    shares = _checked(given)
    pool = open_pool(data, parse_map(given["mapping"]), given["layout"], limit=given["limit"], dedupe=given["dedupe"])
    click.echo(f"{data}: {len(pool)} rows, layout {pool.layout}", err=True)
    if given["shard"]:
        return _fill(given, pool)
    output, side = given["output"], given["side"] or f"{given['output']}.scores.jsonl"
    with open_weighted(given) as judge, show.progress(pool.judged * len(judge.rubrics)) as progress:
        scores = score_pool(judge, pool, progress)
        origin = origin_of(judge, data, weights=given["weights"])
    found = select(
        pool, scores, top=given["top"], min_score=given["min_score"], combine=given["combine"], shares=shares
    )
    write_selection(pool, scores, found, output, side)
    show.summary(scores.summary)
    _show(found)
    for line in selection_notes(found):
        click.echo(f"Warning: {line}", err=True)
    if given["json_path"]:
        write_rows(given["json_path"], [found.to_dict()])
    if given["report"]:
        write_selected(given["report"], found, scores, origin, _rule(given))
    ctx.exit(1 if found.failed else 0)
