"""The frozen value types that cross the borders of rooms.

State numbers, once and for all: a model of L blocks has L+1 states. State 0 is what enters the
first block (the token embedding, after the model's own embedding scale where it has one), and
state i is the output of block i (blocks are counted from 1). This is the numbering of
`hidden_states` in Hugging Face transformers, with one difference: there entry L is the state AFTER
the output norm, while here state L is raw and the normalised vector is called `final`.

In the shapes, L is the number of blocks, S the number of states that were read (L+1, or fewer where
the graph was ended early), K the number of labels of the scale, n_embd the width of a state and
n_vocab the size of the vocabulary. An array is never changed after it has entered a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .weight_records import Calibration as Calibration
from .weight_records import LayerWeights as LayerWeights
from .weight_records import TextTerm as TextTerm

LENSES = ("raw", "norm")
"""The ways to project states: `raw` as in the paper, `norm` with the output norm on every state."""

BOTH_LENSES = "both"
"""The layer logits of both lenses side by side, for weights of kind "full"."""

WEIGHT_KINDS = ("uniform", "simplex", "signed", "full")
"""The kinds of weights of layer logits, from the fewest fitted numbers to the most."""

STATES_KIND = "states"
"""The kind of weights of whole hidden states: one number for each entry of each state."""

ItemId = str | int | float
"""An id as results have it: text, or a number where the row has a number."""


class NumberId(str):
    """An id that is a number in its row: text to compare with, and the number for results.

    - `number`: the number.
    """

    number: int | float

    def __new__(cls, number: int | float) -> NumberId:
        made = super().__new__(cls, number)
        made.number = number
        return made


def id_for_results(identity: str) -> ItemId:
    """The id as its row has it."""
    return identity.number if isinstance(identity, NumberId) else identity


@dataclass(frozen=True)
class Item:
    """One thing to judge.

    - `id`: the name by which results refer to the item; a NumberId where the row has a number.
    - `fields`: text by canonical name (instruction, response, reference, source and others).
    - `human`: the individual human scores by criterion; the key "" stands for the one unnamed score
      of a row. Empty where nobody scored the item.
    - `group`: the name of what must stay on one side of every split, for instance the source text.
      None: the item is a group of its own.
    - `rendered`: a whole prompt that was written elsewhere. None: a rubric renders `fields`.
    - `where`: the item's place for messages, "path:line" or "path[index]"; "" where it has none.
    - `other_groups`: the names of groups that it would have without another choice; folds may split these.
    - `keys`: the keys of the row that each field was taken from, also for "id", "group", "rendered", "score" (the unnamed
      one), "score:NAME" and "scores" (all that have names); "judged" holds the key of a judge's own score, and "unread"
      that of a score that could not be read. Empty where nothing was read. Equality ignores it.
    - `flags`: what is odd about the item and how it was read, in words; the row of its judgment names it.
    - `row`: the row that it was taken from, by its keys; None where nobody asked for it. Equality ignores it.
    - `conversation`: the id of the row whose conversation is judged, as a whole or in turns; None for all other items,
      also those that are the last answer of a conversation.
    - `turn`: which of the assistant's turns in it the item is, from 1; None for the whole.
    """

    id: str
    fields: Mapping[str, str]
    human: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    group: str | None = None
    rendered: str | None = None
    where: str = ""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    flags: tuple[str, ...] = field(default=(), kw_only=True)
    other_groups: tuple[str, ...] = field(default=(), compare=False, repr=False, kw_only=True)
    row: Mapping[str, object] | None = field(default=None, compare=False, repr=False, kw_only=True)
    conversation: str | None = field(default=None, kw_only=True)
    turn: int | None = field(default=None, kw_only=True)

    def scores_for(self, criterion: str) -> tuple[float, ...]:
        """The human scores for a criterion, found in any capitals, else the unnamed ones; empty where there are none."""
        exact = self.human.get(criterion)
        alike = (scores for name, scores in self.human.items() if name.casefold() == criterion.casefold() and scores)
        return exact or next(alike, None) or self.human.get("") or ()


@dataclass(frozen=True)
class Segment:
    """A piece of a prompt.

    - `text`: the text of the piece.
    - `trusted`: whether we wrote it. Control tokens are parsed in trusted text only.
    """

    text: str
    trusted: bool


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt, up to the judging position.

    - `segments`: the pieces of the prompt in order, without the lead.
    - `lead`: the text that opens the assistant's turn, for instance "Score: ". The label follows it.
    """

    segments: tuple[Segment, ...]
    lead: str

    @property
    def text(self) -> str:
        """The whole prompt as one string, lead included."""
        return "".join(s.text for s in self.segments) + self.lead


@dataclass(frozen=True)
class Scale:
    """The allowed scores.

    - `labels`: how each score is written, K of them, worst first.
    - `values`: what each label is worth, K numbers that ascend strictly.
    """

    labels: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Head:
    """What turns a state into logits of the K score tokens.

    logits = softcap(logit_scale * (rows @ norm(state) + bias)), where softcap(x) is cap * tanh(x / cap).

    - `rows`: float32 (K, n_embd), the rows of the output matrix that belong to the score tokens.
    - `bias`: float32 (K,); None where the model has none.
    - `norm_kind`: "rms" or "layer".
    - `norm_weight`: float32 (n_embd,), the gain of the output norm; None for a norm without gain.
    - `norm_bias`: float32 (n_embd,); None for a norm without bias.
    - `norm_eps`: what the norm adds to the variance.
    - `logit_scale`: the factor on the logits.
    - `softcap`: the cap in logits; 0 where the logits are not capped.
    """

    rows: np.ndarray
    bias: np.ndarray | None
    norm_kind: str
    norm_weight: np.ndarray | None
    norm_bias: np.ndarray | None
    norm_eps: float
    logit_scale: float = 1.0
    softcap: float = 0.0


@dataclass(frozen=True)
class States:
    """The hidden states of one prompt at its judging position.

    - `states`: float32 (S, n_embd), raw block outputs, state 0 first.
    - `final`: float32 (n_embd,), state L after the output norm; None where the graph was ended early.
    - `logits`: float32 (n_vocab,), llama.cpp's own; None where the graph was ended early.
    """

    states: np.ndarray
    final: np.ndarray | None
    logits: np.ndarray | None


@dataclass(frozen=True)
class Feedback:
    """What a judge wrote before the score.

    - `text`: the feedback.
    - `drawn`: the number of tokens that were drawn for it, the one that ended it included.
    """

    text: str
    drawn: int


def both_lenses(raw: np.ndarray, norm: np.ndarray) -> np.ndarray:
    """Layer logits (..., S, K) of the raw and of the norm lens side by side, (..., S, 2K)."""
    return np.concatenate([raw, norm], axis=-1)


@dataclass(frozen=True)
class Reading:
    """What one judgment keeps of a forward pass.

    Where the judge wrote feedback, once per vote, every number is the mean over the votes, except
    `tokens`, which belongs to the longest prompt.

    - `raw`: float32 (S, K), layer logits under the raw lens.
    - `norm`: float32 (S, K), layer logits under the norm lens.
    - `mass`: the share of the full vocabulary's probability that the labels hold at state L, 0 to 1;
      None where state L was not reached.
    - `tokens`: the length of the prompt in tokens.
    - `feedback`: what the judge wrote before the score, one text per vote; empty where it wrote none.
    - `states`: float16 (S, n_embd), every state divided by its root mean square; None unless they were asked for.
    """

    raw: np.ndarray
    norm: np.ndarray
    mass: float | None
    tokens: int
    feedback: tuple[str, ...] = ()
    states: np.ndarray | None = None

    def lens(self, name: str) -> np.ndarray:
        """The layer logits (S, K) under the lens `name`, one of LENSES; for BOTH_LENSES (S, 2K), raw ones first."""
        return both_lenses(self.raw, self.norm) if name == BOTH_LENSES else {"raw": self.raw, "norm": self.norm}[name]


@dataclass(frozen=True)
class Judgment:
    """The result for one item under one rubric. Scores are in units of the rubric's scale.

    - `id`: the item's id.
    - `rubric`: the rubric's name.
    - `score`: the expected score under the fitted weights, calibrated where these carry a calibration;
      without weights the same as `e_score`. None where `error` says why.
    - `interval`: (low, high), between which people's score of the item lies nine times in ten; None where the
      weights do not know it.
    - `raw_score`: the score before calibration; None with `score`.
    - `probabilities`: probability by label, from the combined logits; None with `score`.
    - `direct`: the value of the last state's most likely label; None where that state was not reached.
    - `e_score`: the last state's expected value; None where that state was not reached.
    - `uniform`: the expected score under equal layer weights; None where the last state was not reached.
    - `per_layer`: (S,), the expected score of every state alone, under the lens of the weights (the
      raw one where they use both); None with `score`.
    - `mass`: the share of probability that the labels hold, see `Reading`; None where the last state
      was not reached.
    - `tokens`: the length of the prompt in tokens; None with `score`.
    - `feedback`: what was written before the score, one text per vote; None where none was asked for.
    - `flags`: what is odd about the judgment, in words (see `judging.quality`); empty where nothing is.
    - `error`: why there is no score; None where there is one.
    - `where`: the item's place for messages, see `Item`.
    - `members`: the score of every member, in the order of the panel; None where one model judged, empty where a
      panel could not.
    """

    id: str
    rubric: str
    score: float | None
    raw_score: float | None = None
    probabilities: Mapping[str, float] | None = None
    direct: float | None = None
    e_score: float | None = None
    uniform: float | None = None
    per_layer: tuple[float, ...] | None = None
    mass: float | None = None
    tokens: int | None = None
    feedback: tuple[str, ...] | None = None
    flags: tuple[str, ...] = ()
    error: str | None = None
    where: str = ""
    interval: tuple[float, float] | None = None
    members: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Counts:
    """What a run has done so far.

    - `done`: judgments that are finished, failed ones included.
    - `stored`: those of them whose reading came from the store.
    - `failed`: those of them that have an error in place of a score.
    - `prompt_tokens`: tokens of all prompts.
    - `evaluated_tokens`: tokens that the backbone evaluated for them.
    - `generated_tokens`: tokens that were drawn for feedback.
    - `stored_feedback`: feedback texts that came from the store.
    - `thoughts`: judgments of responses that were given with thoughts, which were left out.
    - `cut`: judgments whose prompt was cut to fit into the context.
    - `seen`: judgments whose prompts were made so far, done or not.
    - `planned_tokens`: tokens that the backbone has to evaluate for what was seen so far, without what prompts share
      and what the store holds; `evaluated_tokens` grows up to it.
    - `planned_texts`: feedback texts that have to be written for what was seen so far.
    - `most_generated`: tokens that may be drawn for them at most.
    - `written_texts`: those of them that are written.
    """

    done: int = 0
    stored: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    evaluated_tokens: int = 0
    generated_tokens: int = 0
    stored_feedback: int = 0
    thoughts: int = 0
    cut: int = 0
    seen: int = 0
    planned_tokens: int = 0
    planned_texts: int = 0
    most_generated: int = 0
    written_texts: int = 0


@dataclass(frozen=True)
class Pending:
    """A prompt that has no reading yet.

    - `key`: 16 bytes, under which the store keeps the reading.
    - `tokens`: int32 (n,), the prompt; the last one stands at the judging position.
    - `labels`: the ids of the K score tokens, in the order of the scale.
    - `item`: the item's id, for messages.
    """

    key: bytes
    tokens: np.ndarray
    labels: tuple[int, ...]
    item: str


@dataclass(frozen=True)
class Part:
    """What one step of an evaluation gave.

    - `readings`: readings by their key, see `Pending`.
    - `whole`: whether they hold all states of the model.
    - `evaluated`: the number of tokens that the step evaluated.
    - `planned`: the number of tokens that all steps from this one on will evaluate; 0 in all but the first part, which
      may come before any step.
    """

    readings: Mapping[bytes, Reading]
    whole: bool
    evaluated: int
    planned: int = 0
