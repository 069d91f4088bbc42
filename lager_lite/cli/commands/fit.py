"""lager-lite fit"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ...evaluation import Plan, read_panel, run_evaluation
from ...fitting import PRESETS, TOLERANCE, FitPlan, Fitted, check_human_scores, fit_panel, fit_weights, gather
from ...judging import Judge
from ...records import BOTH_LENSES, LENSES, STATES_KIND, WEIGHT_KINDS, Item
from ...report import check_report, write_report
from ...scoring import load_weights, save_panel, save_weights
from ..grammar import command as cli_command
from ..options import (
    NAMES,
    WEIGHTS,
    Given,
    check_panel_options,
    chosen_rubrics,
    folds_option,
    group_option,
    is_panel,
    items_options,
    json_option,
    keep_states_option,
    limit_option,
    open_judge,
    panel_of,
    panel_options,
    read_labelled,
    reason_options,
    report_option,
    seed_option,
    unit_option,
)
from ..outputs import OutputFile
from ..show.evaluations import fitted_facts, show_fitted
from ..show.panels import panel_facts, show_fitted_panel
from ..show.progress import show_progress, show_stage
from ..show.terminal import present, show_evaluated, warn

_PLAN = (
    "kind",
    "lens",
    "like",
    "by_criterion",
    "max_state",
    "budget",
    "tolerance",
    "folds",
    "seed",
    "control",
    "beside",
)


def _plan(given: Given) -> FitPlan:
    """What to fit; what is wrong in the options is said before a model loads."""
    if given["like"] and (given["by_criterion"] or given["max_state"] is not None or given["budget"] is not None):
        raise click.UsageError("--like decides everything itself: leave out --by-criterion, --max-state and --budget")
    if given["max_state"] is not None and given["budget"] is not None:
        raise click.UsageError("give --max-state or --budget, not both")
    if given["by_criterion"] and given["kind"] in ("uniform", STATES_KIND):
        raise click.UsageError(f"weights of kind {given['kind']} are the same for every criterion: give another --kind")
    if given["lens"] == BOTH_LENSES and given["kind"] != "full":
        raise click.UsageError("only weights of kind full read both lenses: give --kind full")
    if given["budget"] is not None and given["kind"] == STATES_KIND:
        raise click.UsageError("--budget is for weights of layer logits: give --max-state, or another --kind")
    if given["control"] and given["beside"]:
        raise click.UsageError("give --control or --beside, not both")
    if (given["control"] or given["beside"]) and (
        given["like"] or given["by_criterion"] or given["budget"] is not None
    ):
        raise click.UsageError(
            "--control and --beside are for one set of weights: leave out --like, --by-criterion and --budget"
        )
    if given["report"]:
        if given["max_state"] is not None:
            raise click.UsageError("--report needs every state: leave out --max-state (--budget draws the trade-off)")
        check_report()
    if given["prior"] and given["kind"] not in ("auto", STATES_KIND):
        raise click.UsageError("--prior is for weights of kind states: leave out --kind")
    if given["prior"] and (
        given["control"] or given["beside"] or given["like"] or given["by_criterion"] or given["budget"] is not None
    ):
        raise click.UsageError(
            "--prior is for plain weights: leave out --control, --beside, --like, --by-criterion and --budget"
        )
    prior = load_weights(given["prior"]) if given["prior"] else None
    return FitPlan(**{name: given[name] for name in _PLAN}, prior=prior)


def _fit_panel(given: Given, items: Sequence[Item], plan: FitPlan, labelled: str, output: str) -> None:
    """Fit the weights of a panel, and show them."""
    panel = panel_of(given, states="keep" if given["keep_states"] else plan.reads_states)
    with show_progress(len(items) * len(panel.rubrics) * len(panel.models)) as progress:
        read = read_panel(panel, items, source=labelled, progress=progress)
    found = fit_panel([one.data for one in read], [one.provenance for one in read], plan)
    save_panel(output, found.weights)
    show_evaluated(panel.counts, list(dict.fromkeys(failure for one in read for failure in one.data.failed)))
    warn(found.warnings)
    names = panel.names
    present(
        given["json_file"],
        lambda: panel_facts(found, names, output),
        lambda: show_fitted_panel(found, names, output),
    )


def _report(path: str, judge: Judge, items: Sequence[Item], plan: FitPlan, *, source: str, found: Fitted) -> None:
    kinds = (*WEIGHT_KINDS, STATES_KIND) if judge.states else WEIGHT_KINDS
    run, _ = run_evaluation(judge, items, Plan(kinds=kinds, folds=plan.folds, seed=plan.seed), source=source)
    tradeoff = [(p.state, p.spearman, p.interval) for p in found.tradeoff]
    write_report(path, run.evaluation, run.origin, tradeoff)


@cli_command("fit", example="lager-lite fit labelled.jsonl -r helpfulness -o weights.json")
@click.argument("labelled", metavar="LABELLED")
@click.option("-o", "--output", required=True, type=OutputFile((".json",)), help="Write the weights to this file.")
@click.option(
    "--kind",
    type=click.Choice(["auto", *WEIGHT_KINDS, STATES_KIND]),
    default="auto",
    show_default=True,
    help="Kind of the weights; auto makes the one that agrees best under nested folds.",
)
@click.option(
    "--lens",
    type=click.Choice(["auto", *LENSES, BOTH_LENSES]),
    default="auto",
    show_default=True,
    help="How states are projected: raw, with the output norm on every state, or (kind full) both.",
)
@click.option("--like", type=click.Choice(list(PRESETS)), help="Fit as published, in place of --kind and --lens.")
@click.option("--by-criterion", is_flag=True, help="Fit weights for each rubric, drawn toward the common ones.")
@click.option("--max-state", type=click.IntRange(0), help="Use no state above this one; the pass then ends there.")
@click.option(
    "--budget", type=click.FloatRange(0, 1, min_open=True), help="Share of the whole pass that may be spent, e.g. 0.6."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=TOLERANCE,
    show_default=True,
    help="Spearman correlation that --budget may lose.",
)
@click.option(
    "--control",
    type=NAMES,
    default=(),
    metavar="NAMES",
    help="Score every response as if its length, its surface, or the number in a field of yours were average.",
)
@click.option(
    "--beside",
    type=NAMES,
    default=(),
    metavar="NAMES",
    help="Let length, surface or a field's number add to the score. This rewards style.",
)
@click.option(
    "--prior",
    type=WEIGHTS,
    help="Draw the weights (kind states) toward those of this file, or those that ship under this name.",
)
@limit_option()
@items_options
@unit_option
@reason_options
@keep_states_option
@folds_option()
@group_option
@seed_option
@panel_options
@json_option
@report_option
def command(labelled: str, output: str, **given: Any) -> None:
    """Fit layer weights on the human scores of LABELLED, for `score -w`.

    By default it makes the kind of weights that agrees best with people under nested folds, where everything is chosen
    again inside each training part: uniform, signed, full or states. The last reads whole hidden states, so items that
    are in the store without them are evaluated again (see --keep-states). Items of one group (the same source text or prompt) stay in one fold when the strength of the ridge is chosen, and
    the calibration is fitted on scores of weights that have not seen the item. Weights that were fitted with --reason
    are for `score` with the same --reason.

    Several -m make a panel: every model is fitted alone, and then the share that each has in the panel's score.
    """
    if is_panel(given):
        check_panel_options(
            given, ("report", "like", "by_criterion", "max_state", "budget", "control", "beside", "prior")
        )
    plan = _plan(given)
    items = read_labelled(labelled, given)
    check_human_scores(items, chosen_rubrics(given), folds=plan.folds, fits=not plan.like and plan.kind != "uniform")
    if is_panel(given):
        return _fit_panel(given, items, plan, labelled, output)
    states = "keep" if given["keep_states"] else plan.reads_states
    with open_judge(given, max_state=plan.max_state, states=states) as judge:
        with show_progress(len(items) * len(judge.rubrics)) as progress:
            data = gather(judge, items, progress)
        show_evaluated(judge.counts, data.failed)
        with show_stage("fitting the weights"):
            found = fit_weights(judge, data, plan)
            if given["report"]:
                _report(given["report"], judge, items, plan, source=labelled, found=found)
    save_weights(output, found.file)
    warn(found.warnings)
    present(given["json_file"], lambda: fitted_facts(found, output), lambda: show_fitted(found, output))
