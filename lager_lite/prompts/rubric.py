"""Rubrics: what is judged, on which scale, and how the question is put.

A rubric is a TOML file, shipped with the package or the user's own. Its texts may hold slots: `{word}`
is replaced, everything else in braces is plain text, and `{{word}}` writes `{word}`. Slots are read in
the rubric only, never in the text of an item.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import PromptError
from ..records import Scale
from .scale import describe_scale, parse_scale

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIELDS = ("source", "instruction", "reference", "response")
ORDERS = ("item-first", "rubric-first")
# How a judge that reasons is asked, behind the rubric's own question; what opens and closes its feedback.
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
class Section:
    """A titled part of the prompt that shows one field; an optional one vanishes with its field."""

    field: str
    title: str
    optional: bool = False


DEFAULT_SECTIONS = (
    Section("source", "Source text", optional=True),
    Section("instruction", "Instruction", optional=True),
    Section("reference", "Reference answer", optional=True),
    Section("response", "Response"),
)


@dataclass(frozen=True)
class Rubric:
    """One criterion with its scale and its wording.

    criterion: what is graded (may hold item slots). scale: the allowed scores. descriptions: pairs
    (label or range of labels, text), worst first, may be empty. system: the system turn, may be
    empty. template: the user's message. sections: what `{sections}` shows, in order. lead: how the
    assistant's turn begins; the label follows it. about: one line for lists. feedback: what asks for
    feedback before the score, empty where none is wanted (see `with_feedback`).
    """

    name: str
    criterion: str
    scale: Scale
    descriptions: tuple[tuple[str, str], ...] = ()
    system: str = ""
    template: str = ITEM_FIRST
    sections: tuple[Section, ...] = DEFAULT_SECTIONS
    lead: str = "Score: "
    about: str = ""
    feedback: str = ""

    @property
    def required(self) -> tuple[str, ...]:
        """Fields an item must have: those of sections that are not optional, and of slots."""
        shown = (s.field for s in self.sections if not s.optional)
        slots = (w for t in (self.template, self.criterion) for w in slots_of(t) if w not in TRUSTED_SLOTS)
        return tuple(dict.fromkeys((*shown, *slots)))


def slots_of(text: str) -> tuple[str, ...]:
    """The slots in a rubric's text, each once, in order."""
    return tuple(dict.fromkeys(m.group(2) for m in SLOT.finditer(text) if m.group(2)))


def make_rubric(
    name: str,
    criterion: str,
    scale: str | list[Any] | dict[str, Any] | Scale = "1-5",
    *,
    descriptions: Mapping[str, str] | None = None,
    system: str = "",
    order: str = "item-first",
    template: str | None = None,
    require: tuple[str, ...] = (),
    lead: str = "Score: ",
) -> Rubric:
    """A rubric from a few arguments: `make_rubric("brevity", "Is the response short?")`.

    `require` names the default sections (source, instruction, reference) that must be there.
    Raises PromptError naming everything that is wrong.
    """
    table: dict[str, Any] = {"name": name, "criterion": criterion, "scale": scale, "order": order}
    table.update(system=system, lead=lead, require=list(require))
    table["descriptions"] = dict(descriptions or {})
    if template is not None:
        table["template"] = template
    return rubric_from_table(table, f"rubric {name!r}")


def list_rubrics() -> tuple[str, ...]:
    """Names of the shipped rubrics, sorted."""
    folder = resources.files(__package__) / "rubrics"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


def load_rubric(name_or_path: str | Path) -> Rubric:
    """A shipped rubric by its name, or one from a TOML file (anything with `.toml` or a folder).

    Raises PromptError for an unknown name, an unreadable file, and every key that is missing,
    unknown or of the wrong kind, all at once.
    """
    spec = str(name_or_path)
    shipped = list_rubrics()
    if spec in shipped:
        data = (resources.files(__package__) / "rubrics" / f"{spec}.toml").read_bytes()
        return _parse(data, f"{spec}.toml", spec)
    path = Path(spec)
    if not path.is_file() and path.suffix != ".toml" and path.name == spec:
        raise PromptError(f"there is no rubric {spec!r}", f"use a TOML file, or one of: {', '.join(shipped)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"{path}: cannot read the rubric: {error.strerror}"
        raise PromptError(message, f"shipped rubrics: {', '.join(shipped)}") from None
    return _parse(data, str(path), path.stem)


def with_scale(rubric: Rubric, spec: str | list[Any] | dict[str, Any] | Scale) -> Rubric:
    """`rubric` on another scale; its descriptions go along where both have as many labels.

    With another number of labels the descriptions are dropped: nothing says which score they mean.
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
    content = {k: v for k, v in asdict(rubric).items() if k not in ("name", "about", "feedback")}
    if rubric.feedback:
        content["feedback"] = [rubric.feedback, FEEDBACK_LEAD, FEEDBACK_END]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def rubric_from_table(table: Mapping[str, Any], where: str) -> Rubric:
    """A rubric from the keys of its TOML form; `where` opens the messages."""
    problems = _key_problems(table)
    given = table.get("scale", "1-5")
    try:
        if isinstance(given, (str, list, dict)):
            given = parse_scale(given)
    except PromptError as error:
        problems.append(f"scale: {error.message}")
    if problems:
        raise PromptError(f"{where}: " + "; ".join(problems), _KEYS_HINT)
    rubric = Rubric(
        name=table["name"],
        criterion=table["criterion"].strip(),
        scale=given,
        descriptions=tuple((str(k), v.strip()) for k, v in table.get("descriptions", {}).items()),
        system=table.get("system", "").strip(),
        template=table.get("template", _default_template(table)).strip(),
        sections=_sections(table),
        lead=table.get("lead", "Score: "),
        about=table.get("about", ""),
    )
    problems = _text_problems(rubric, tuple(table.get("fields", ())))
    if problems:
        raise PromptError(f"{where}: " + "; ".join(problems), _KEYS_HINT)
    return rubric


_KINDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "criterion": str,
    "scale": (str, list, dict, Scale),
    "descriptions": dict,
    "system": str,
    "template": str,
    "lead": str,
    "order": str,
    "require": list,
    "fields": list,
    "section": list,
    "about": str,
}
_KEYS_HINT = f"the keys of a rubric are {', '.join(_KINDS)}; name and criterion are needed"


def _parse(data: bytes, where: str, name: str) -> Rubric:
    try:
        table = tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise PromptError(f"{where}: not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise PromptError(f"{where}: not TOML: {error}") from None
    return rubric_from_table({"name": name, **table}, where)


def _default_template(table: Mapping[str, Any]) -> str:
    return RUBRIC_FIRST if table.get("order") == "rubric-first" else ITEM_FIRST


def _sections(table: Mapping[str, Any]) -> tuple[Section, ...]:
    if "section" in table:
        return tuple(Section(s["field"], s["title"], s.get("optional", False)) for s in table["section"])
    required = ("response", *table.get("require", ()))
    return tuple(Section(s.field, s.title, s.field not in required) for s in DEFAULT_SECTIONS)


def _key_problems(table: Mapping[str, Any]) -> list[str]:
    problems = [f"unknown key {key!r}" for key in table if key not in _KINDS]
    problems += [f"missing key {key!r}" for key in ("name", "criterion") if key not in table]
    for key, kind in _KINDS.items():
        if key in table and not isinstance(table[key], kind):
            problems.append(f"key {key!r} is of the wrong kind ({type(table[key]).__name__})")
    if problems:
        return problems
    if table.get("order", ORDERS[0]) not in ORDERS:
        problems.append(f"order is {table['order']!r}, not one of {', '.join(ORDERS)}")
    for key in ("require", "fields"):
        problems += [f"{key}: {v!r} is not text" for v in table.get(key, ()) if not isinstance(v, str)]
    names = [f for f in table.get("require", ()) if isinstance(f, str) and f not in FIELDS]
    problems += [f"require: unknown field {f!r} (one of {', '.join(FIELDS)})" for f in names]
    if "section" in table and "require" in table:
        problems.append("require belongs to the default sections; use optional in [[section]]")
    for i, section in enumerate(table.get("section", ()), 1):
        problems += [f"section {i}: {p}" for p in _section_problems(section)]
    for label, text in table.get("descriptions", {}).items():
        if not isinstance(text, str):
            problems.append(f"descriptions: the text of {label!r} is not text")
    return problems


def _section_problems(section: Any) -> list[str]:
    if not isinstance(section, dict):
        return ["not a table"]
    kinds = {"field": str, "title": str, "optional": bool}
    problems = [f"unknown key {key!r}" for key in section if key not in kinds]
    problems += [f"missing key {key!r}" for key in ("field", "title") if key not in section]
    wrong = [k for k, kind in kinds.items() if k in section and not isinstance(section[k], kind)]
    return problems + [f"key {key!r} is of the wrong kind" for key in wrong]


def _text_problems(rubric: Rubric, extra_fields: tuple[str, ...]) -> list[str]:
    problems = [f"{key} is empty" for key in ("name", "criterion", "lead") if not getattr(rubric, key).strip()]
    if not rubric.sections and not extra_fields:
        problems.append("no section shows the item")
    known = {*FIELDS, *extra_fields, *(s.field for s in rubric.sections)}
    for key, trusted in (("template", TRUSTED_SLOTS), ("criterion", ())):
        unknown = [w for w in slots_of(getattr(rubric, key)) if w not in known and w not in trusted]
        problems += [f"{key}: unknown slot {{{w}}} (declare a field with fields = [...])" for w in unknown]
    if "criterion" not in slots_of(rubric.template):
        problems.append("template: the slot {criterion} is missing")
    seen: set[str] = set()
    for key, _ in rubric.descriptions:
        labels = covered_labels(rubric.scale, key)
        if not labels:
            problems.append(f"descriptions: {key!r} is no label of the scale {describe_scale(rubric.scale)}")
        elif seen & set(labels):
            problems.append(f"descriptions: {key!r} describes a score twice")
        seen.update(labels)
    return problems


def covered_labels(scale: Scale, key: str) -> tuple[str, ...]:
    """The labels that a key of `descriptions` speaks of: one, or a range such as "3-4"."""
    if key in scale.labels:
        return (key,)
    low, _, high = key.partition("-")
    if low in scale.labels and high in scale.labels and scale.labels.index(low) < scale.labels.index(high):
        return scale.labels[scale.labels.index(low) : scale.labels.index(high) + 1]
    return ()
