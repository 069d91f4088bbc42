"""lager-lite pairs"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ...data import Pair, open_rows, pairs_of_rows, write_rows
from ...evaluation import Origin, origin_of
from ...fitting import FitPlan
from ...report import check_report, write_pairs
from ...scoring import WeightsFile, save_weights
from ...tasks import (
    Compared,
    check_preferences,
    compare_pairs,
    file_names,
    fit_pair_weights,
    joined_by,
    joined_pairs,
    pair_figures,
    pairs_within,
    tournament,
)
from ..grammar import command as cli_command
from ..options import (
    Given,
    chosen_rubrics,
    chosen_weights,
    folds_option,
    hold_out_option,
    items_options,
    json_option,
    judge_options_with,
    limit_option,
    mapped_keys,
    open_judge,
    read_given,
    report_option,
    seed_option,
    weights_options,
)
from ..outputs import ROW_FILES, STDOUT, OutputFile
from ..show.pairs import show_pairs
from ..show.progress import say, show_progress
from ..show.terminal import present, show_evaluated, show_unjudged, warn


def _pairs(path: str, other: str | None, given: Given) -> Sequence[Pair]:
    """The pairs to judge; what is wrong in the options or the files is said before a model loads."""
    rubric, *_ = chosen_rubrics(given)
    named = {**given, "limit": None}
    if other is not None:
        first, second = (read_given(one, named) for one in (path, other))
        pairs = joined_pairs(first, second, rubric.name, names=file_names(path, other))
        if (by := joined_by(first, second)) != "id":
            say(f"the rows have no id in both files, so they are joined by {by}")
        return pairs
    keys = mapped_keys(given)
    rows = open_rows(path, encoding=given["encoding"])
    single = {field: key for field, key in keys.items() if isinstance(key, str)}
    found = None
    if given["layout"] is None:
        found = pairs_of_rows(rows, single, ignore=given["ignore"], keep_thoughts=given["keep_thoughts"])
    if found is None:
        return pairs_within(read_given(rows, named), rubric.name)
    say(found.message)
    return found.pairs


def _present(
    compared: Compared, weights: WeightsFile | None, given: Given, origin: Origin, doubts: Sequence[str]
) -> None:
    """Write the rows and show the figures; doubts: what to say where no preferences show what the verdicts are worth."""
    fit = weights.provenance.fit if weights else None
    how = {"folds": given["folds"], "hold_out": given["hold_out"] is not None}
    figures = pair_figures(compared, fit=fit, seed=given["seed"], **how)
    systems = tournament(compared, seed=given["seed"])
    rows_to = given["output"] or (None if given["json_file"] == STDOUT else STDOUT)
    if rows_to:
        write_rows(rows_to, compared.rows())
    document = {**figures.to_dict(), "systems": systems.to_dict() if systems else None}
    present(given["json_file"], lambda: document, lambda: show_pairs(figures, systems, err=rows_to == STDOUT))
    # The warnings of few groups may be those of both.
    notes = dict.fromkeys((*figures.notes, *(systems.notes if systems else ())))
    warn((*notes, *(() if figures.methods else doubts)))
    if given["report"]:
        write_pairs(given["report"], compared, figures, systems, origin)


@cli_command("pairs", example="lager-lite pairs answers.jsonl -r helpfulness -o verdicts.jsonl")
@click.argument("data", metavar="DATA")
@click.argument("other", metavar="[OTHER]", required=False)
@click.option(
    "-o",
    "--output",
    type=OutputFile(ROW_FILES, stdout=True),
    help="Write the verdicts to this JSONL or CSV file; - is stdout, the default without --json.",
)
@click.option(
    "--ties/--no-ties",
    default=None,
    help="Let the model also answer that both are equally good, or not.  [default: as the rubric says]",
)
@click.option(
    "--fit", type=OutputFile((".json",)), help="Fit weights to people's preferences, and write them to this file."
)
@limit_option("pairs")
@items_options
@weights_options
@folds_option(None, "Also fit weights on the preferences, cross-validated in this many folds.")
@hold_out_option("With --cv: judge every pair by weights that have seen neither of its systems.", ("system",))
@seed_option
@judge_options_with("default", repeat=False, scale=False)
@json_option
@report_option
def command(data: str, other: str | None, **given: Any) -> None:
    """Compare two responses side by side, judging every pair in both orders.

    A row of DATA holds two responses (response_a and response_b, output_1 and output_2, chosen and rejected, or
    conversation_a and conversation_b, as public sets have them); or DATA holds one response a row, and all responses to
    one instruction are compared; or DATA and OTHER are joined by id, or by
    instruction where they have no ids. The layer logits of both orders are averaged, so
    that the position cancels. Where people's preferences are known, a table says how often each method agrees with
    them, beside "the longer one"; where the rows name systems, another one has their win rates and, from three systems
    on, Bradley-Terry strengths. A pair that cannot be judged has an error in its row; the exit code is then 1.
    """
    if given["hold_out"] and not given["folds"]:
        raise click.UsageError("--hold-out is about weights that are fitted in folds: give --cv")
    pairs = _pairs(data, other, given)[: given["limit"]]
    if given["folds"] or given["fit"]:
        check_preferences(pairs, given["folds"] or FitPlan().folds, hold_out=given["hold_out"] is not None)
    if given["report"]:
        check_report()
    weights = chosen_weights(given)
    with open_judge(given, weights, force=given["force"]) as judge:
        with show_progress(2 * len(pairs)) as progress:
            compared = compare_pairs(judge, pairs, progress=progress)
        show_evaluated(judge.counts)
        show_unjudged(compared.problems)
        origin, doubts = origin_of(judge, data, weights=given["weights"]), judge.doubts()
        if given["fit"]:
            fitted = fit_pair_weights(judge, compared, FitPlan(seed=given["seed"]))
            save_weights(given["fit"], fitted.file)
            warn(fitted.warnings)
            say(f"weights written to {given['fit']}")
    _present(compared, weights, given, origin, doubts)
    click.get_current_context().exit(1 if compared.errors else 0)
