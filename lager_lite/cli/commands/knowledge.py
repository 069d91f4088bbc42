"""lager-lite knowledge"""

from __future__ import annotations

from typing import Any

import click

from ...evaluation import origin_of
from ...fitting import check_human_scores, gather
from ...report import check_report, write_knowledge
from ...tasks import self_knowledge, stratified
from ..grammar import command as cli_command
from ..options import (
    chosen_rubrics,
    chosen_weights,
    folds_option,
    items_options,
    json_option,
    judge_options_with,
    limit_option,
    open_judge,
    read_given,
    report_option,
    seed_option,
    weights_options,
)
from ..show.progress import show_progress, show_stage
from ..show.terminal import present, show_evaluated, warn
from ..show.uses import show_knowledge


@cli_command("knowledge", example="lager-lite knowledge self_aware.json -n 200")
@click.argument("data", metavar="DATA")
@click.option("--all", "whole", is_flag=True, help="Use all questions of the file.")
@limit_option("Use only N questions, drawn by stratum.", at_least=20, default=500)
@items_options
@weights_options
@folds_option()
@seed_option
@judge_options_with("answerability", repeat=False)
@json_option
@report_option
def command(data: str, whole: bool, **given: Any) -> None:
    """Tell unanswerable questions from answerable ones (SelfAware), by the rubric answerability.

    A question counts as unanswerable where its score is at or below a threshold: 0.75 of the range of a method's
    scores (the paper's rule), or the threshold with the best F1 on the other folds. The weights of the methods
    simplex, signed and full are fitted on the other folds. The intervals are 95% intervals over groups.
    """
    given["rubrics"] = given["rubrics"] or ("answerability",)
    if len(given["rubrics"]) > 1:
        raise click.UsageError("knowledge takes one rubric")
    if given["report"]:
        check_report()
    questions = read_given(data, given, require=("instruction",))
    items = stratified(questions, None if whole else given["limit"], given["seed"])
    check_human_scores(items, chosen_rubrics(given), folds=given["folds"])
    file = chosen_weights(given)
    with open_judge(given, file, force=given["force"], early=False) as judge, show_progress(len(items)) as progress:
        read = gather(judge, items, progress)
        show_evaluated(judge.counts, read.failed)
        weights = judge.by_rubric.get(judge.rubrics[0].name, judge.weights)
        origin = origin_of(judge, data, weights=given["weights"])
    with show_stage("comparing the methods"):
        fit = file.provenance.fit if file else None
        result = self_knowledge(read, weights, fit=fit, folds=given["folds"], seed=given["seed"])
    present(given["json_file"], result.to_dict, lambda: show_knowledge(result))
    warn(result.warnings)
    if given["report"]:
        write_knowledge(given["report"], result, origin)
