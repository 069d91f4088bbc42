"""A rubric put as the question which of two responses is better.

The question is asked once in each order of the two responses. What both orders share, up to the first response, stands
at the beginning, so that it is evaluated once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..records import Scale
from .rubric import TRUSTED_SLOTS, PromptSection, Rubric, slots_of
from .rubric_file import load_rubric

RESPONSE_A, RESPONSE_B = "response_a", "response_b"
"""The fields of the response that stands first in the prompt, and of the one that stands second."""

_SCALE = Scale(("B", "A"), (0.0, 1.0))
_SCALE_WITH_TIES = Scale(("B", "C", "A"), (0.0, 0.5, 1.0))

_TEMPLATE = """Read the following, then compare the two responses in it.

{sections}

### Criterion
{criterion}

### Answers
{descriptions}

Compare by this criterion alone. Neither the order in which the responses stand nor their length makes one of them \
better. Answer with one letter."""


def pairwise_rubric(rubric: str | Path | Rubric, *, ties: bool | None = None) -> Rubric:
    """`rubric` as a question of which of two responses is better; the labels are A and B, with ties also C.

    The values of the labels are the share of "the first one is better": A is 1, B is 0, and C, equally good, is 0.5.
    Criterion, system text and the sections beside the response are the rubric's; its scale, its descriptions, which
    speak of single responses, its template and its lead are not used.

    rubric: a rubric, the name of a shipped one, or the path of a TOML file. ties: whether there is a label for ties;
    None: as the rubric says. Raises PromptError as `load_rubric` does.
    """
    own = rubric if isinstance(rubric, Rubric) else load_rubric(rubric)
    shown = [section for section in own.sections if section.field != "response"]
    fields = {"response", *TRUSTED_SLOTS, *(section.field for section in shown)}
    shown += [PromptSection(word, word.capitalize()) for word in slots_of(own.template) if word not in fields]
    title = next((section.title for section in own.sections if section.field == "response"), "Response")
    both = (PromptSection(RESPONSE_A, f"{title} A"), PromptSection(RESPONSE_B, f"{title} B"))
    asks = own.ties if ties is None else ties
    answers = [(label, f"{title} {label} is better by this criterion.") for label in ("A", "B")]
    answers += [("C", "Both are equally good by this criterion.")] if asks else []
    return replace(
        own,
        scale=_SCALE_WITH_TIES if asks else _SCALE,
        descriptions=tuple(answers),
        template=_TEMPLATE,
        sections=(*shown, *both),
        lead="Answer: ",
        feedback="",
        ties=asks,
    )


def is_pairwise(rubric: Rubric) -> bool:
    """Whether a rubric compares two responses, as `pairwise_rubric` makes it."""
    return {RESPONSE_A, RESPONSE_B} <= {section.field for section in rubric.sections}
