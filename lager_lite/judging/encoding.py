"""From an item to tokens: what is read for one item under one rubric."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..data import THOUGHTS, why_unjudged, without_thoughts
from ..errors import Advice, LagerError, PromptError
from ..llama import Backbone
from ..prompts import ChatTemplate, Rubric, missing_fields, render
from ..records import Item, Pending, Prompt
from .feedback import Reasoning, behind, reserve
from .keys import reading_key
from .tokens import KnownTexts, ScoreTokens, TokenizedPrompt, score_tokens, tokenize_prompt

OVERFLOW = ("error", "skip", "truncate-middle")
CUT = "cut to fit"
"""The flag of an item whose prompt was longer than the context, so that its middle was left out."""


@dataclass(frozen=True)
class Task:
    """One reading that an item needs under a rubric.

    - `item`: what is judged, flagged where its prompt was cut.
    - `rubric`: how it is judged.
    - `prompt`: the tokens up to the judging position, or up to where the feedback begins; None where the item cannot
      be judged.
    - `key`: the 16-byte key of the reading; empty where there is no prompt.
    - `error`: why the item cannot be judged; None where it can.
    - `feedback`: the feedback that the prompt holds; empty where it holds none.
    """

    item: Item
    rubric: Rubric
    prompt: TokenizedPrompt | None
    key: bytes
    error: str | None
    feedback: str = ""

    def pending(self, labels: ScoreTokens) -> Pending:
        """Return what has to be evaluated; labels: those of the rubric. Raises ValueError where there is no prompt."""
        if self.prompt is None:
            raise ValueError("there is no prompt to evaluate")
        return Pending(self.key, self.prompt.tokens, labels.ids, self.item.id)


class Encoder:
    """Renders and tokenizes items for one backbone.

    - `chat`: the backbone's chat template.
    - `context`: the key of everything but the prompt that changes a reading (see `keys.context_key`).
    - `limit`: the longest prompt in tokens.
    - `overflow`: what to do with a longer one; one of OVERFLOW.
    - `reasoning`: the feedback that the judge writes before the score; None for none.
    - `keep_thoughts`: whether the thoughts that a response was given with are judged, too.

    Raises PromptError where two labels of a rubric begin with the same token of the backbone's vocabulary.
    """

    def __init__(
        self,
        backbone: Backbone,
        rubrics: Sequence[Rubric],
        chat: ChatTemplate,
        *,
        context: bytes,
        limit: int,
        overflow: str,
        reasoning: Reasoning | None,
        keep_thoughts: bool = False,
    ) -> None:
        self.chat = chat
        self.limit = limit
        self._backbone = backbone
        self.labels: Mapping[str, ScoreTokens] = self._labels_of(rubrics)
        self._texts = KnownTexts(backbone)
        self._context = context
        self._overflow = overflow
        self._reasoning = reasoning
        self._keep_thoughts = keep_thoughts

    def under(self, rubrics: Sequence[Rubric]) -> Encoder:
        """Return an encoder of other rubrics that remembers the same texts. Raises PromptError as the class does."""
        other = copy.copy(self)
        other.labels = self._labels_of(rubrics)
        return other

    def _labels_of(self, rubrics: Sequence[Rubric]) -> Mapping[str, ScoreTokens]:
        return {r.name: score_tokens(self._backbone, r.lead, r.scale) for r in rubrics}

    def rendered(self, item: Item, rubric: Rubric) -> Prompt:
        """Return the prompt as text, with trusted and untrusted parts apart. Raises PromptError or DataError."""
        return render(rubric, self._judged(item), self.chat)

    def encode(self, item: Item, rubric: Rubric) -> Task:
        """Render and tokenize an item; one that cannot be judged becomes a task with its error.

        With feedback the prompt ends where the feedback begins.
        """
        labels = self.labels[rubric.name]
        kept = reserve(self._backbone, labels, self._reasoning) if self._reasoning else 0
        item = self._judged(item)
        try:
            if (why := why_unjudged(item)) and missing_fields(rubric, item):
                raise PromptError(why)
            whole = tokenize_prompt(self._texts, self.rendered(item, rubric), () if kept else labels.lead)
            prompt = self._fit(whole, kept)
        except LagerError as error:
            text = f"{error.message} ({error.hint})" if error.hint else error.message
            return Task(item, rubric, None, b"", text)
        item = item if prompt is whole else replace(item, flags=(*item.flags, CUT))
        return Task(item, rubric, prompt, reading_key(self._context, prompt.tokens, labels.ids), None)

    def _judged(self, item: Item) -> Item:
        """The item as it is judged."""
        return item if self._keep_thoughts else without_thoughts(item)

    def with_feedback(self, task: Task, feedback: str) -> Task:
        """Return the task whose prompt goes on with `feedback` and the lead.

        Raises ValueError for a task without a prompt, and where the judge writes no feedback.
        """
        if task.prompt is None or self._reasoning is None:
            raise ValueError("there is no prompt that feedback could follow")
        labels = self.labels[task.rubric.name]
        prompt = behind(self._backbone, task.prompt, feedback, labels, self._reasoning)
        return replace(
            task, prompt=prompt, key=reading_key(self._context, prompt.tokens, labels.ids), feedback=feedback
        )

    def _fit(self, prompt: TokenizedPrompt, kept: int) -> TokenizedPrompt:
        """Make a prompt fit into the context beside `kept` tokens that will follow it."""
        if len(prompt.tokens) + kept <= self.limit:
            return prompt
        if self._overflow == "truncate-middle":
            return prompt.truncated(self.limit - kept)
        what = "skipped: " if self._overflow == "skip" else ""
        room = f", {kept} of them for the feedback" if kept else ""
        raise PromptError(
            f"{what}the prompt has {len(prompt.tokens)} tokens, the context holds {self.limit}{room}",
            Advice(
                "use a larger -c where the model allows it, or --overflow truncate-middle",
                'use a larger ctx_size where the model allows it, or overflow="truncate-middle"',
                request="send a shorter text, or start the server with a larger -c or with --overflow truncate-middle",
            ),
        )


def flag_counts(tasks: Sequence[Task]) -> dict[str, int]:
    """Return how many tasks are of responses whose thoughts were left out, and of prompts that were cut; see `Counts`."""
    return {name: sum(flag in t.item.flags for t in tasks) for name, flag in (("thoughts", THOUGHTS), ("cut", CUT))}
