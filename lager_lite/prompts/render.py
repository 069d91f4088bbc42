"""From a rubric and an item to a prompt in segments, each trusted or not.

The turns are laid out once per rubric, chat template and set of present fields; an item's texts are
then put into their slots as untrusted segments, exactly as they are. Nothing in an item is ever
interpreted: not braces, not template code, not control tokens.
"""

from __future__ import annotations

from functools import lru_cache

from ..errors import Advice, PromptError
from ..records import Item, Prompt, Scale, Segment
from .chat import ChatTemplate, Layout, Slot, lay_out
from .pairwise import RESPONSE_A, RESPONSE_B
from .rubric import FEEDBACK_LEAD, SLOT, Rubric
from .scale import describe_scale
from .visible import is_visible

_RENDERED = "rendered"
_RESPONSES = ("response", RESPONSE_A, RESPONSE_B)
EMPTY_RESPONSE = "(empty response)"
"""What stands in the prompt for a response without a visible character, so that the judge does not grade the rest."""


def render(rubric: Rubric, item: Item, chat: ChatTemplate) -> Prompt:
    """The prompt of `item` under `rubric`.

    The segments end before the lead, or, where the rubric asks for feedback, where the feedback begins.
    A field that the rubric requires must be there (it may be empty); the section of an optional field
    is left out where the field is missing or has nothing to see, and such a response is written as EMPTY_RESPONSE. An item
    that brings its own prompt (`item.rendered`) becomes one untrusted user message, and only scale and lead are the rubric's.
    Raises PromptError naming all missing fields, but not the item, whose place and id the caller knows; and for a
    template that fails.
    """
    plan = layout(rubric, item, chat)
    texts = item.fields if item.rendered is None else {_RENDERED: item.rendered}
    segments = []
    for part in plan.parts:
        if isinstance(part, str):
            segments.append(Segment(part, True))
            continue
        text = texts[part.field]
        if part.field in _RESPONSES and not is_visible(text):
            segments.append(Segment(EMPTY_RESPONSE, True))
            continue
        if item.rendered is not None and plan.strips:
            text = text.strip()
        if text:
            segments.append(Segment(text, False))
    if rubric.feedback:
        segments.append(Segment(FEEDBACK_LEAD, True))
    return Prompt(tuple(segments), rubric.lead)


def layout(rubric: Rubric, item: Item, chat: ChatTemplate) -> Layout:
    """The turns for `item` before its texts are put in, cached by rubric and present fields.

    Raises PromptError as `render` does.
    """
    if item.rendered is not None:
        return _rendered_layout(chat, rubric.feedback)
    missing = missing_fields(rubric, item)
    if missing:
        lacks = " and ".join(filter(None, [", ".join(f"no {f}" for f in missing[:-1]), f"no {missing[-1]}"]))
        has = f"the item has only {', '.join(item.fields)}" if item.fields else "the item has no text"
        raise PromptError(
            f"{lacks}; {has}",
            Advice(
                "name the keys with --map field=key, or choose another rubric",
                "give every item the text that is missing, with a mapping of keys where read_items reads it, or choose another rubric",
                given="give the text under the key that is missing, or choose another rubric",
            ),
        )
    present = frozenset(s.field for s in rubric.sections if not s.optional or is_visible(item.fields.get(s.field, "")))
    return _rubric_layout(rubric, chat, present)


def missing_fields(rubric: Rubric, item: Item) -> tuple[str, ...]:
    """The fields that `rubric` needs and `item` does not have, in the rubric's order."""
    if item.rendered is not None:
        return ()
    return tuple(f for f in rubric.required if f not in item.fields)


def scale_text(scale: Scale) -> str:
    """The sentence that tells a model which scores there are."""
    low, high = scale.labels[0], scale.labels[-1]
    if describe_scale(scale) == f"{low}-{high}" and len(scale.labels) > 2:
        return f"A whole number from {low} (worst) to {high} (best)."
    return f"One of these, worst to best: {', '.join(scale.labels)}."


@lru_cache(maxsize=16)
def _rendered_layout(chat: ChatTemplate, feedback: str) -> Layout:
    return lay_out(chat, "", (Slot(_RENDERED), *_request(feedback)))


@lru_cache(maxsize=512)
def _rubric_layout(rubric: Rubric, chat: ChatTemplate, present: frozenset[str]) -> Layout:
    parts = (*_fill(rubric.template, _blocks(rubric, present)), *_request(rubric.feedback))
    return lay_out(chat, rubric.system, _tidy(parts))


def _request(feedback: str) -> tuple[str, ...]:
    return (f"\n\n{feedback}",) if feedback else ()


def _blocks(rubric: Rubric, present: frozenset[str]) -> dict[str, tuple[str | Slot, ...]]:
    """What the trusted slots of a template stand for."""
    sections: list[str | Slot] = []
    for section in rubric.sections:
        if section.field in present:
            sections += ["\n\n" if sections else "", f"### {section.title}\n", Slot(section.field)]
    lines = "\n".join(f"{label}: {text}" for label, text in rubric.descriptions)
    return {
        "sections": tuple(sections),
        "criterion": _fill(rubric.criterion, {}),
        "scale": (scale_text(rubric.scale),),
        "descriptions": (lines,),
    }


def _fill(text: str, blocks: dict[str, tuple[str | Slot, ...]]) -> tuple[str | Slot, ...]:
    """`text` with its slots replaced: trusted slots by their block, others by an item's field."""
    parts: list[str | Slot] = []
    start = 0
    for match in SLOT.finditer(text):
        parts.append(text[start : match.start()])
        word = match.group(2)
        if word is None:
            parts.append("{" + match.group(1) + "}")
        else:
            parts += blocks.get(word, (Slot(word),))
        start = match.end()
    return (*parts, text[start:])


def _tidy(parts: tuple[str | Slot, ...]) -> tuple[str | Slot, ...]:
    """The parts with neighbouring texts joined, outer blanks cut, and no gap where a block was empty."""
    joined: list[str | Slot] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    for i, part in enumerate(joined):
        if isinstance(part, str):
            while "\n\n\n" in part:
                part = part.replace("\n\n\n", "\n\n")
            joined[i] = part
    if joined and isinstance(joined[0], str):
        joined[0] = joined[0].lstrip()
    if joined and isinstance(joined[-1], str):
        joined[-1] = joined[-1].rstrip()
    return tuple(p for p in joined if p != "")
