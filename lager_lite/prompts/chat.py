"""Chat templates: where the trusted text around a message comes from.

A template is rendered with placeholders where the system text and the untrusted slots belong, and the result
is cut at them afterwards. The placeholders are digits, which survive trimming and changes of case. So the
template never sees anything that an item says, and each piece of the result is known to be trusted or not.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import Advice, PromptError
from .sandbox import MAX_SOURCE, TemplateStopped, render_template

# A template that prints the date sees this one, so that the same input gives the same score on every day.
FIXED_DATE = datetime.date(2024, 7, 26)

THINKING_OFF = {"enable_thinking": False, "thinking": False}

_THINK_TAGS = (
    ("<think>", "</think>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
)
_MAX_ANSWER_HEADER = 200
NO_TEMPLATE = "none (the model has no chat template)"
"""The origin of plain text that stands for a missing template."""

_USE_OTHER = Advice(
    "give another with --chat-template-file, or --chat-template none for plain text",
    'give another as `chat`; resolve_chat("none") is plain text',
)


@dataclass(frozen=True)
class Slot:
    """The place of an untrusted text in a message.

    - `field`: the name of the item's field that goes there.
    """

    field: str


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template with everything its rendering depends on.

    - `source`: jinja2 source; None for plain text without any turns.
    - `special`: special tokens that the template may name, pairs such as ("bos_token", "<s>").
    - `kwargs`: the template's keyword arguments as JSON with sorted keys.
    - `origin`: where the template comes from, for messages.
    - `today`: the date that `strftime_now` formats.
    """

    source: str | None
    special: tuple[tuple[str, str], ...] = ()
    kwargs: str = json.dumps(THINKING_OFF, sort_keys=True)
    origin: str = "given"
    today: datetime.date = FIXED_DATE

    @property
    def digest(self) -> str:
        """Names everything that its rendering depends on, 16 hex digits."""
        facts = json.dumps([self.source, self.special, self.kwargs, self.today.isoformat()])
        return hashlib.blake2b(facts.encode("utf-8", "replace"), digest_size=8).hexdigest()


PLAIN = ChatTemplate(None, origin="none (plain text)")


@dataclass(frozen=True)
class Layout:
    """A message inside its turns: trusted strings and slots, in order.

    - `parts`: trusted text and slots, up to where the assistant's answer begins.
    - `system_merged`: whether the system text opens the user's turn because the template takes no system turn.
    - `answer_header`: what was added behind the template's own generation prompt: the rest of the header
      that the template writes before an assistant's answer, or a closed thinking part; "" for nothing.
    - `strips`: whether the template trims the user's message.
    """

    parts: tuple[str | Slot, ...]
    system_merged: bool
    answer_header: str
    strips: bool


def resolve_chat(
    model_template: str | None,
    *,
    text: str | None = None,
    file: str | Path | None = None,
    special: Mapping[str, str | None] | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> ChatTemplate:
    """The chat template to use: `text` ("none" for plain text), else `file`, else the model's.

    A model without a template gets plain text, and `origin` says so. Thinking is switched off unless
    `kwargs` switch it on. Raises PromptError for text and file together, and for an unreadable file.
    """
    if text is not None and file is not None:
        raise PromptError("a chat template is given both as text and as a file", "give one of them")
    origin, source = "the model's own", model_template
    if file is not None:
        origin, source = str(file), _read(Path(file))
    elif text is not None:
        origin, source = "given as text", text
    if source is not None and source.strip() == "none":
        origin, source = "none (plain text)", None
    elif source is None:
        origin = NO_TEMPLATE
    pairs = tuple(sorted((k, v) for k, v in (special or {}).items() if v is not None))
    try:
        merged = json.dumps({**THINKING_OFF, **(kwargs or {})}, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise PromptError(f"the chat template's arguments are not JSON: {error}") from None
    return ChatTemplate(source, pairs, merged, origin)


def lay_out(chat: ChatTemplate, system: str, user: Sequence[str | Slot]) -> Layout:
    """Put one user message (and a system text, "" for none) into the turns of `chat`.

    The text is what transformers renders with add_generation_prompt=True, followed by `answer_header`.
    Raises PromptError where the template fails, or drops or repeats a part of the message.
    """
    system = system.strip()
    if chat.source is None:
        head = (system + "\n\n",) if system else ()
        return Layout(_joined((*head, *user, "\n\n")), False, "", False)
    marks = {_mark(): part for part in user if isinstance(part, Slot)}
    unused = iter(marks)
    message = "".join(next(unused) if isinstance(part, Slot) else part for part in user)
    rendered, merged = _render_turns(chat, system, message, tuple(marks))
    parts = _cut(rendered, marks)
    header = _answer_header(chat, str(parts[-1]))
    return Layout(_joined((*parts, header)), merged, header, _strips(chat))


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > MAX_SOURCE:
            raise PromptError(f"{path}: a chat template of {len(data)} bytes, the limit is {MAX_SOURCE}")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise PromptError(f"{path}: cannot read the chat template: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise PromptError(f"{path}: the chat template is not UTF-8 at byte {error.start}") from None


def _mark() -> str:
    return f"{secrets.randbelow(10**36) + 10**36}"


def _render(chat: ChatTemplate, messages: list[dict[str, Any]], prompting: bool = True) -> str:
    variables: dict[str, Any] = {"tools": None, "documents": None, **dict(chat.special)}
    variables.update(json.loads(chat.kwargs))
    variables.update(messages=messages, add_generation_prompt=prompting)
    try:
        return render_template(chat.source or "", variables, today=chat.today)
    except TemplateStopped:
        raise
    except PromptError:
        # Templates for tool use loop over `tools` without asking whether there are any.
        return render_template(chat.source or "", {**variables, "tools": []}, today=chat.today)


def _render_turns(chat: ChatTemplate, system: str, message: str, marks: tuple[str, ...]) -> tuple[str, bool]:
    """The rendered turns and whether the system text had to go into the user's message."""
    first: PromptError | None = None
    merging = (False, True) if system else (False,)
    for merged, typed in ((m, t) for t in (False, True) for m in merging):
        system_mark = _mark()
        content = f"{system_mark}\n\n{message}" if merged else message
        turns = [{"role": "user", "content": _content(content, typed)}]
        if system and not merged:
            turns.insert(0, {"role": "system", "content": _content(system_mark, typed)})
        try:
            rendered = _render(chat, turns)
            _expect_once(rendered, marks + ((system_mark,) if system else ()))
            if typed and ("'type': 'text'" in rendered or '"type": "text"' in rendered):
                continue  # the list of parts was printed, not read
        except TemplateStopped:
            raise
        except PromptError as error:
            first = first or error
            continue
        return rendered.replace(system_mark, system), merged
    assert first is not None
    raise PromptError(first.message, first.advice or _USE_OTHER)


def _content(text: str, typed: bool) -> str | list[dict[str, str]]:
    return [{"type": "text", "text": text}] if typed else text


def _expect_once(rendered: str, marks: Sequence[str]) -> None:
    for mark in marks:
        count = rendered.count(mark)
        if count != 1:
            what = f"repeats a part of the message {count} times" if count else "drops a part of the message"
            raise PromptError(f"the chat template {what}", _USE_OTHER)


def _cut(rendered: str, marks: Mapping[str, Slot]) -> tuple[str | Slot, ...]:
    """`rendered`, cut at the marks in the order in which they appear; the last part is a string."""
    parts: list[str | Slot] = []
    start = 0
    for mark in sorted(marks, key=rendered.index):
        at = rendered.index(mark)
        parts += [rendered[start:at], marks[mark]]
        start = at + len(mark)
    return (*parts, rendered[start:])


def _joined(parts: Sequence[str | Slot]) -> tuple[str | Slot, ...]:
    result: list[str | Slot] = []
    for part in parts:
        if isinstance(part, str) and result and isinstance(result[-1], str):
            result[-1] += part
        elif part != "":
            result.append(part)
    return tuple(result)


@lru_cache(maxsize=64)
def _answer_header(chat: ChatTemplate, tail: str) -> str:
    """What is missing between the generation prompt, at the end of `tail`, and an answer.

    Some templates open the assistant's turn and leave it to the model to name a channel or a recipient. What
    introduces an answer is seen from the way in which the same template writes an assistant's message.
    """
    question, answer = _mark(), _mark()
    prompt, header = tail, ""
    try:
        asked = _render(chat, [{"role": "user", "content": question}])
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        answered = _render(chat, turns, prompting=False)
        _expect_once(asked, (question,))
        _expect_once(answered, (question, answer))
        opening = asked.partition(question)[2]
        before = answered.partition(question)[2].partition(answer)[0]
        if tail.endswith(opening):
            prompt = opening
            header = before[len(opening) :] if before.startswith(opening) else ""
    except PromptError:
        header = ""  # typed contents only, or no assistant's turn: the generation prompt stands alone
    if not header.strip() or len(header) > _MAX_ANSWER_HEADER:
        header = ""
    return header + _closed_thinking(prompt + header)


def _closed_thinking(tail: str) -> str:
    """What closes the thinking part that is still open at the end of `tail`."""
    for opening, closing in _THINK_TAGS:
        start = tail.rfind(opening)
        if start < 0 or closing in tail[start:]:
            continue
        if opening == "<think>":
            return "\n" * (1 if tail.endswith("\n") else 2) + closing + "\n\n"
        return closing
    return ""


@lru_cache(maxsize=16)
def _strips(chat: ChatTemplate) -> bool:
    mark = _mark()
    try:
        return f"  {mark}  " not in _render(chat, [{"role": "user", "content": f"  {mark}  "}])
    except PromptError:
        return False
