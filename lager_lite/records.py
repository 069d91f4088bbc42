"""The frozen value types that cross module borders.

State numbers, once and for all: a model of L blocks has L+1 states. State 0 is what enters the
first block (the token embedding, after the model's own embedding scale where it has one), state i
is the output of block i (blocks counted from 1). This is the numbering of `hidden_states` in
Hugging Face transformers, with one difference: there entry L is the state AFTER the output norm,
here state L is raw and the normalised vector is called `final`.

Arrays are never changed after they entered a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

LENSES = ("raw", "norm")
WEIGHT_KINDS = ("uniform", "simplex", "signed", "full")


@dataclass(frozen=True)
class Item:
    """One thing to judge.

    `fields` maps canonical names (instruction, response, reference, source, ...) to text.
    `human` maps a criterion's name to the individual human scores, the key "" stands for the one
    unnamed score of a row; empty where nobody scored it.
    `group` names what must stay on one side of a split (same source text); None: the item itself.
    `rendered` is a whole prompt written elsewhere; None where a rubric renders `fields`.
    `where` is "path:line" (or "path[index]") for messages.
    """

    id: str
    fields: Mapping[str, str]
    human: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    group: str | None = None
    rendered: str | None = None
    where: str = ""


@dataclass(frozen=True)
class Segment:
    """A piece of a prompt. Control tokens are parsed in trusted text only."""

    text: str
    trusted: bool


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt up to, and without, the lead that opens the assistant's turn."""

    segments: tuple[Segment, ...]
    lead: str

    @property
    def text(self) -> str:
        """The whole prompt as one string, lead included."""
        return "".join(s.text for s in self.segments) + self.lead


@dataclass(frozen=True)
class Scale:
    """The allowed scores: `labels[k]` is how `values[k]` is written. Values ascend strictly."""

    labels: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Head:
    """What turns a state into logits of the K score tokens.

    rows float32 (K, n_embd); bias float32 (K,) or None; norm_weight float32 (n_embd,) or None (a
    norm without gain); norm_bias float32 (n_embd,) or None; norm_kind "rms" or "layer";
    logits = softcap(scale * (rows @ norm(state) + bias)), where softcap(x) is
    cap * tanh(x / cap), or x where `softcap` is 0.
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
    """Hidden states of one prompt at its judging position.

    states float32 (L+1, n_embd), raw block outputs (see the module's docstring), or the first k+1
    rows where the graph was ended after block k; final float32 (n_embd,) after the output norm and
    logits float32 (n_vocab,), both None where the graph was ended early.
    """

    states: np.ndarray
    final: np.ndarray | None
    logits: np.ndarray | None


@dataclass(frozen=True)
class Feedback:
    """What a judge wrote before the score; drawn: tokens drawn for it, the one that ended it included."""

    text: str
    drawn: int


@dataclass(frozen=True)
class Reading:
    """What one judgment keeps of a forward pass.

    raw, norm: layer logits float32 (S, K) under either lens, S = L+1 or fewer where the graph was
    ended early; mass: share of the full vocabulary's probability that the labels hold at state L,
    None where state L was not reached; tokens: length of the prompt in tokens; feedback: what the
    judge wrote before the score, one text per vote, empty where it wrote none (all figures are then
    means over the votes, tokens: of the longest prompt).
    """

    raw: np.ndarray
    norm: np.ndarray
    mass: float | None
    tokens: int
    feedback: tuple[str, ...] = ()

    def lens(self, name: str) -> np.ndarray:
        """The layer logits (S, K) under the lens `name`."""
        return {"raw": self.raw, "norm": self.norm}[name]


@dataclass(frozen=True)
class Calibration:
    """A non-decreasing map from raw expected scores onto the human scale.

    Linear between the knots (x ascending, y non-decreasing, both float64), constant outside.
    kind: "isotonic", "affine" (two knots spanning the scale) or "none" (no knots: identity).
    """

    kind: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class LayerWeights:
    """How layer logits are combined into one logit per label.

    combined[k] = sum over states s of weights[s] * logits[s, k], plus bias[k]. For kind "full" all
    logits together move the score (adjacent categories, an ordinal model): combined[k] =
    (k - (K-1)/2) * sum over s, j of weights[s, j] * logits[s, j], plus bias[k], k from 0.
    kind: one of WEIGHT_KINDS; lens: one of LENSES; weights float64 (S,), or (S, K) for kind "full";
    bias float64 (K,) or None; over: "logits" (combine, then softmax) or "probabilities" (softmax
    each layer, then combine; simplex and uniform only). S may be smaller than L+1: the states
    above are not needed. calibration None: not fitted.
    """

    kind: str
    lens: str
    weights: np.ndarray
    bias: np.ndarray | None = None
    over: str = "logits"
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Judgment:
    """The result for one item under one rubric.

    score: the tuned expected score where weights are given (calibrated where they carry a
    calibration), else `uniform`. raw_score: the same before calibration. probabilities: by label,
    of the combined logits. direct, e_score: argmax label's value and expected value of the last
    state (None where it was not reached). uniform: equal layer weights. per_layer: expected score
    of every state alone, lens of the weights. mass: see `Reading`. tokens: prompt length. feedback:
    what was written before the score, by vote, None where nothing was asked for. error: None, or why
    there is no score (all figures are then None).
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
    error: str | None = None
    where: str = ""


@dataclass(frozen=True)
class Counts:
    """What a run has done so far: judgments finished, of those read from the store, failed; tokens
    of all prompts, and tokens evaluated; tokens generated for feedback, and texts of it from the store."""

    done: int = 0
    stored: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    evaluated_tokens: int = 0
    generated_tokens: int = 0
    stored_feedback: int = 0


@dataclass(frozen=True)
class Pending:
    """A prompt without a reading. key: of the reading; tokens: int32 (n,); labels: its score tokens;
    item: the item's id, for messages."""

    key: bytes
    tokens: np.ndarray
    labels: tuple[int, ...]
    item: str


@dataclass(frozen=True)
class Part:
    """What one step of an evaluation gave. readings: by key; whole: they hold all states of the
    model; evaluated: tokens."""

    readings: Mapping[bytes, Reading]
    whole: bool
    evaluated: int
