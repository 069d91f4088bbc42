"""lager-lite eval"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ...evaluation import (
    EvaluationRun,
    Plan,
    compare,
    evaluate_panel,
    panel_json,
    read_panel,
    run_evaluation,
    run_json,
    save_run,
)
from ...fitting import PRESETS, SPLITS, check_human_scores, values_of
from ...records import STATES_KIND, WEIGHT_KINDS, Item
from ...report import check_report, write_report
from ...system import write_beside
from ..grammar import command as cli_command
from ..options import (
    Given,
    check_panel_options,
    check_shard,
    chosen_rubrics,
    chosen_weights,
    fill_shard,
    folds_option,
    group_option,
    hold_out_option,
    is_panel,
    items_options,
    json_option,
    keep_states_option,
    limit_option,
    open_judge,
    option_name,
    panel_of,
    panel_options,
    panel_weights,
    read_labelled,
    reason_options,
    reasoning_settings,
    report_option,
    seed_option,
    shard_option,
    unit_option,
    weights_options,
)
from ..outputs import STDOUT
from ..show.evaluations import show_evaluation, show_reasoning
from ..show.panels import show_panel
from ..show.progress import show_progress
from ..show.terminal import show_evaluated, warn


def _plan(given: Given) -> Plan:
    """What to fit; what is wrong in the options is said before a model loads."""
    check_shard(
        given,
        (
            "report",
            "folds",
            "kind",
            "by_criterion",
            "like",
            "splits",
            "hold_out",
            "threshold",
            "curve",
            "weights",
            "json_file",
        ),
    )
    fitting = [name for name in ("folds", "kind", "by_criterion", "like", "splits", "hold_out", "curve") if given[name]]
    if given["weights"] and fitting:
        raise click.UsageError(f"-w uses weights as they are: leave out {option_name(fitting[0])}")
    if given["force"] and not given["weights"]:
        raise click.UsageError("--force is about the weights of -w: give some")
    if given["report"]:
        check_report()
    kinds = tuple(kind for kind in (*WEIGHT_KINDS, STATES_KIND) if kind in given["kind"])
    like = tuple(name for name in PRESETS if name in given["like"])
    if given["include_seen"] and not given["weights"]:
        raise click.UsageError("--include-seen is about the weights of -w: give some")
    return Plan(
        kinds or WEIGHT_KINDS,
        given["by_criterion"],
        like,
        given["folds"] or 5,
        given["seed"],
        given["include_seen"],
        splits=given["splits"] or SPLITS,
        hold_out=given["hold_out"],
        threshold=given["threshold"],
        curve=given["curve"],
    )


def _evaluated(given: Given, items: Sequence[Item], plan: Plan, source: str, **more: Any) -> EvaluationRun:
    weights = chosen_weights(given)
    more["states"] = "keep" if given["keep_states"] else STATES_KIND in plan.kinds
    with open_judge(given, weights, force=given["force"], early=False, **more) as judge:
        with show_progress(len(items) * len(judge.rubrics), "comparing the methods") as progress:
            pair = (given["weights"], weights) if weights else None
            run, failed = run_evaluation(judge, items, plan, source=source, weights=pair, progress=progress)
        show_evaluated(judge.counts, failed)
    return run


def _evaluate_panel(given: Given, items: Sequence[Item], plan: Plan, source: str) -> None:
    """Evaluate several models beside their panel, and show both."""
    weights = panel_weights(given)
    panel = panel_of(given, weights, states="keep" if given["keep_states"] else STATES_KIND in plan.kinds, early=False)
    with show_progress(len(items) * len(panel.rubrics) * len(panel.models)) as progress:
        read = read_panel(panel, items, source=source, progress=progress)
    pair = (given["weights"], weights) if weights else None
    run = evaluate_panel(read, plan, names=panel.names, weights=pair)
    show_evaluated(panel.counts, list(dict.fromkeys(failure for one in read for failure in one.data.failed)))
    if given["json_file"] == STDOUT:
        click.echo(panel_json(run), nl=False)
    else:
        show_panel(run)
    warn(run.panel.evaluation.warnings)
    if given["json_file"] not in (None, STDOUT):
        write_beside(given["json_file"], lambda file: file.write(panel_json(run)), text=True)


def _show(given: Given, run: EvaluationRun, direct: EvaluationRun | None) -> None:
    """The tables, or the JSON in their place, then warnings, then the files."""
    if given["json_file"] == STDOUT:
        click.echo(run_json(run), nl=False)
    else:
        show_evaluation(run.evaluation)
        if direct:
            show_reasoning(direct, run, compare(direct, run, seed=given["seed"]))
    warn(run.evaluation.warnings)
    if given["json_file"] not in (None, STDOUT):
        save_run(given["json_file"], run)
    if given["report"]:
        write_report(given["report"], run.evaluation, run.origin)


@cli_command("eval", example="lager-lite eval labelled.jsonl -r helpfulness --json=run.json")
@click.argument("labelled", metavar="LABELLED")
@click.option(
    "--kind",
    multiple=True,
    type=click.Choice([*WEIGHT_KINDS, STATES_KIND]),
    help="Weights to fit. May be repeated.  [default: all but states]",
)
@click.option("--by-criterion", is_flag=True, help="Add weights for each criterion, drawn toward the common ones.")
@click.option(
    "--like", multiple=True, type=click.Choice(list(PRESETS)), help="Add weights fitted as published. May be repeated."
)
@limit_option()
@items_options
@unit_option
@shard_option
@weights_options
@reason_options
@click.option(
    "--include-seen", is_flag=True, help="With -w: also evaluate items and groups that the weights were fitted on."
)
@keep_states_option
@folds_option(None, "Number of folds for cross-validation, split by group.  [default: 5]")
@group_option
@hold_out_option("Field whose values no fit may have seen either, for instance the system that wrote the response.")
@click.option(
    "--splits", type=click.IntRange(1, 100), help=f"How often the items are split into folds.  [default: {SPLITS}]"
)
@click.option("--threshold", type=float, help="Human score at or above which a response counts as good.")
@click.option(
    "--curve",
    is_flag=True,
    help="Also show the learning curve of the best kind of weights, and what more labels would bring.",
)
@seed_option
@panel_options
@json_option
@report_option
def command(labelled: str, **given: Any) -> None:
    """Compare the methods with the human scores of LABELLED.

    The methods are direct, e_score, uniform, and each kind of fitted weights, cross-validated: no item is scored by
    weights that were fitted on an item of its group (the same source text or prompt). With -w, the given weights are
    used as they are. MAE is in points of the scale, before and after calibration.

    Beside them stand length (the words of the response) and surface (marks of the text such as sentences, copied words
    and list marks), fitted in the same folds without a model. A method that agrees with people no better than these
    is no judge: the verdict compares the best one with the best of e_score, length and surface.

    Several -m make a panel, which is shown beside each of its members alone, in the same folds.

    --reason evaluates twice, directly and with feedback before every score, and shows both side by side; all other
    figures, --json and --report are of the second evaluation (with -w, there is only that one). --shard only reads a
    part into the store and shows no figures; merge the stores with `store merge`, then run the same command without
    --shard.
    """
    panel = is_panel(given)
    if panel:
        check_panel_options(given, ("report", "shard", "by_criterion", "like"))
    plan = _plan(given)
    weights = None if panel else chosen_weights(given)
    items = read_labelled(labelled, given)
    if plan.hold_out is not None:
        values_of([item for item in items if item.human], plan.hold_out)  # raises before a model loads
    if given["shard"]:
        keep = "keep" if given["keep_states"] else False
        ways = dict.fromkeys((None, reasoning_settings(given)))
        return fill_shard(given, items, [open_judge(given, reasoning=way, states=keep) for way in ways])
    check_human_scores(items, chosen_rubrics(given))
    if panel:
        return _evaluate_panel(given, items, plan, labelled)
    direct = None
    if given["reason"] and not weights:
        direct = _evaluated(given, items, plan, labelled, reasoning=None)
    _show(given, _evaluated(given, items, plan, labelled), direct)
