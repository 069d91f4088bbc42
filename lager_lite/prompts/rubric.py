"""Rubrics: what is judged, on which scale, and how the question is put.

A rubric's texts may hold slots: `{word}` is replaced, everything else in braces is plain text, and
`{{word}}` writes `{word}`. Slots are read in the rubric only, never in the text of an item.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..records import Scale
from .scale import parse_scale

FIELDS = ("source", "instruction", "reference", "response")
ORDERS = ("item-first", "rubric-first")
# How a judge that reasons is asked for feedback, after the rubric's own question, and what opens and
# closes the feedback.
FEEDBACK_REQUEST = (
    "Before the score, write feedback of a few sentences: what is good about the response by this criterion and what is not, "
    "with examples from it. Leave the score itself out of the feedback."
)
FEEDBACK_LEAD, FEEDBACK_END = "Feedback:", "\n\n"
TRUSTED_SLOTS = ("sections", "criterion", "scale", "descriptions")
SLOT = re.compile(r"\{\{(\w+)\}\}|\{([a-z_][a-z0-9_]*)\}")

# The item comes first, so that several rubrics on one item share everything up to the criterion.
ITEM_FIRST = """Read the following, then grade it.

{sections}

### Criterion
{criterion}

### Scores
{scale}
{descriptions}

Grade by this criterion alone. Answer with one score."""

RUBRIC_FIRST = """Grade what follows by this criterion alone.

### Criterion
{criterion}

### Scores
{scale}
{descriptions}

{sections}

Answer with one score."""


@dataclass(frozen=True)
class PromptSection:
    """A titled part of the prompt that shows one field of the item.

    - `field`: the field's name.
    - `title`: the heading above it.
    - `optional`: whether the section is left out where the item has no such field.
    """

    field: str
    title: str
    optional: bool = False


DEFAULT_SECTIONS = (
    PromptSection("source", "Source text", optional=True),
    PromptSection("instruction", "Instruction", optional=True),
    PromptSection("reference", "Reference answer", optional=True),
    PromptSection("response", "Response"),
)


@dataclass(frozen=True)
class Rubric:
    """One criterion with its scale and its wording.

    - `name`: the name under which judgments list it.
    - `criterion`: what is graded; may hold slots for fields of the item.
    - `scale`: the allowed scores.
    - `descriptions`: what the scores mean, pairs (label or range of labels, text), worst first; may be empty.
    - `system`: the text of the system turn; may be empty.
    - `template`: the user's message, with slots.
    - `sections`: what the slot `{sections}` shows, in order.
    - `lead`: how the assistant's turn begins; the label follows it.
    - `about`: one line for lists.
    - `feedback`: the request for feedback before the score, see `with_feedback`; "" where none is wanted.
    - `ties`: whether two responses that are compared may be equally good, see `pairwise_rubric`.
    """

    name: str
    criterion: str
    scale: Scale
    descriptions: tuple[tuple[str, str], ...] = ()
    system: str = ""
    template: str = ITEM_FIRST
    sections: tuple[PromptSection, ...] = DEFAULT_SECTIONS
    lead: str = "Score: "
    about: str = ""
    feedback: str = ""
    ties: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        """Fields an item must have: those of sections that are not optional, and of slots."""
        shown = (s.field for s in self.sections if not s.optional)
        slots = (w for t in (self.template, self.criterion) for w in slots_of(t) if w not in TRUSTED_SLOTS)
        return tuple(dict.fromkeys((*shown, *slots)))


def slots_of(text: str) -> tuple[str, ...]:
    """The slots in a rubric's text, each once, in order."""
    return tuple(dict.fromkeys(m.group(2) for m in SLOT.finditer(text) if m.group(2)))


def covered_labels(scale: Scale, key: str) -> tuple[str, ...]:
    """The labels that a key of `descriptions` speaks of: one, or a range such as "3-4"."""
    if key in scale.labels:
        return (key,)
    low, _, high = key.partition("-")
    if low in scale.labels and high in scale.labels and scale.labels.index(low) < scale.labels.index(high):
        return scale.labels[scale.labels.index(low) : scale.labels.index(high) + 1]
    return ()


def with_scale(rubric: Rubric, spec: str | list[Any] | dict[str, Any] | Scale) -> Rubric:
    """`rubric` on another scale. Its descriptions are kept where both scales have the same number of labels.

    Otherwise they are dropped, since nothing says which of the new scores they mean.
    """
    scale = spec if isinstance(spec, Scale) else parse_scale(spec)
    if scale == rubric.scale:
        return rubric
    alike = len(scale.labels) == len(rubric.scale.labels)
    renamed = dict(zip(rubric.scale.labels, scale.labels)) if alike else {}
    pairs = []
    for key, text in rubric.descriptions:
        labels = [renamed.get(label, "") for label in covered_labels(rubric.scale, key)]
        if all(labels):
            pairs.append(("-".join(dict.fromkeys((labels[0], labels[-1]))), text))
    return replace(rubric, scale=scale, descriptions=tuple(pairs))


def with_feedback(rubric: Rubric, request: str = FEEDBACK_REQUEST) -> Rubric:
    """`rubric` asking for feedback before the score."""
    return replace(rubric, feedback=request)


def rubric_hash(rubric: Rubric) -> str:
    """32 hex digits of SHA-256 over everything in the rubric that reaches a prompt or a score."""
    content = {k: v for k, v in asdict(rubric).items() if k not in ("name", "about", "feedback", "ties")}
    if rubric.feedback:
        content["feedback"] = [rubric.feedback, FEEDBACK_LEAD, FEEDBACK_END]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
