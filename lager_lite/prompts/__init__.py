"""From a rubric and an item to the text that the judge reads.

Text that comes from an item is kept apart from text that we wrote, segment by segment, so that the
tokenizer can refuse control tokens in the former.
"""

from __future__ import annotations

from .chat import NO_TEMPLATE, ChatTemplate, Slot, lay_out, resolve_chat
from .injection import signs
from .pairwise import RESPONSE_A, RESPONSE_B, is_pairwise, pairwise_rubric
from .render import missing_fields, render
from .rubric import FEEDBACK_END, Rubric, covered_labels, rubric_hash, with_feedback, with_scale
from .rubric_file import list_rubrics, load_rubric, make_rubric, rubric_from_table, write_skeleton
from .scale import LETTERS, describe_scale, parse_scale, scale_for
from .visible import is_visible

__all__ = [
    "ChatTemplate",
    "FEEDBACK_END",
    "LETTERS",
    "NO_TEMPLATE",
    "RESPONSE_A",
    "RESPONSE_B",
    "Rubric",
    "Slot",
    "covered_labels",
    "describe_scale",
    "is_pairwise",
    "is_visible",
    "lay_out",
    "list_rubrics",
    "load_rubric",
    "make_rubric",
    "missing_fields",
    "pairwise_rubric",
    "parse_scale",
    "render",
    "resolve_chat",
    "rubric_from_table",
    "rubric_hash",
    "scale_for",
    "signs",
    "with_feedback",
    "with_scale",
    "write_skeleton",
]
