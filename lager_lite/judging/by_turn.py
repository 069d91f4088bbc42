"""What the turns of a conversation got together: their mean, the lowest, and the last."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..records import Item, ItemId, Judgment, id_for_results

TURN_NAMES = ("conversation", "turn", "turns_mean", "turns_lowest", "turns_last")
"""The keys that the row of a judged turn has besides those of every judgment."""


@dataclass(frozen=True)
class TurnScores:
    """The scores of a conversation's turns under one rubric, in units of its scale.

    - `conversation`: the id of the conversation.
    - `rubric`: the rubric's name.
    - `turns`: the number of turns of the assistant.
    - `mean`, `lowest`: of the turns that have a score; None where none has.
    - `last`: the score of the last turn; None where it has none.
    """

    conversation: ItemId
    rubric: str
    turns: int
    mean: float | None
    lowest: float | None
    last: float | None


def turn_scores(judged: Sequence[tuple[Item, Judgment]]) -> dict[str, TurnScores]:
    """The scores of one conversation's turns, by rubric. judged: its turns in order, the rubrics of a turn together."""
    by_rubric: dict[str, list[Judgment]] = {}
    for _, judgment in judged:
        by_rubric.setdefault(judgment.rubric, []).append(judgment)
    found = {}
    for rubric, judgments in by_rubric.items():
        known = [judgment.score for judgment in judgments if judgment.score is not None]
        mean = sum(known) / len(known) if known else None
        named = id_for_results(judged[0][0].conversation or judged[0][0].id)
        lowest = min(known, default=None)
        found[rubric] = TurnScores(named, rubric, len(judgments), mean, lowest, judgments[-1].score)
    return found


def by_conversation(
    judged: Iterable[tuple[Item, Judgment]],
) -> Iterator[tuple[Item, Judgment, TurnScores | None]]:
    """Every judgment with the scores of its conversation, None where it is not of a turn.

    judged: as `Judge.judged` yields them. The judgments of a conversation are held back until its last turn is judged.
    """
    for (_, turned), part in itertools.groupby(judged, lambda one: _conversation(one[0])):
        if not turned:
            yield from ((item, judgment, None) for item, judgment in part)
            continue
        turns = list(part)
        scores = turn_scores(turns)
        yield from ((item, judgment, scores[judgment.rubric]) for item, judgment in turns)


def turn_row(item: Item, scores: TurnScores | None, *, turns: bool = False) -> dict[str, object]:
    """The keys that the row of a judged turn has besides those of every judgment.

    turns: whether rows of other items have them, too, so that all rows of a run have the same keys: then the name of the
    conversation, where there is one, and nothing else. Without it other items have none of them.
    """
    if scores is None:
        named = None if item.conversation is None else id_for_results(item.conversation)
        return {**dict.fromkeys(TURN_NAMES), "conversation": named} if turns else {}
    numbers = [None if one is None else round(one, 6) for one in (scores.mean, scores.lowest, scores.last)]
    return dict(zip(TURN_NAMES, (scores.conversation, item.turn, *numbers), strict=True))


def _conversation(item: Item) -> tuple[str | None, bool]:
    return item.conversation, item.turn is not None
