"""Rubrics as TOML files: shipped with the package, or the user's own.

A file is checked as a whole, so that its author reads about everything that is wrong at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import PromptError
from ..records import Scale
from .rubric import (
    DEFAULT_SECTIONS,
    FIELDS,
    ITEM_FIRST,
    ORDERS,
    RUBRIC_FIRST,
    TRUSTED_SLOTS,
    PromptSection,
    Rubric,
    covered_labels,
    slots_of,
)
from .scale import describe_scale, parse_scale

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEY_TYPES: dict[str, type | tuple[type, ...]] = {
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
    "ties": bool,
}
_KEYS_HINT = f"the keys of a rubric are {', '.join(KEY_TYPES)}; name and criterion are needed"

# A line that begins with "#" without a blank is a key, switched on by taking the "#" away.
_SKELETON = """\
# A rubric for lager-lite: what is judged, on which scale, and how the question is put.
# See what a model will read:   lager-lite prompt ITEMS -r {file}
# Score with it:                lager-lite score ITEMS -r {file}
# A line that begins with # without a blank is a key: take the # away to switch it on.

name = "{name}"
about = "one line for lists"

# The question. Ask about one thing only, and give several rubrics (-r a.toml -r b.toml) for several things.
criterion = \"\"\"
Conciseness: does the response say what is needed in few words, without repeating itself?\"\"\"

# "1-5", "0-4", "A-E" (A is the best), a list of labels with the worst first, or a table of labels and their
# values, such as {{ no = 0, partly = 1, yes = 3 }}. No two labels may begin with the same token of the model.
scale = "1-5"

# Fields that an item must have besides its response: any of source, instruction and reference. Those that
# are not named here are shown where an item has them.
#require = ["instruction"]

# item-first (the default) evaluates an item once for many rubrics; rubric-first evaluates the rubric once
# for many items, which is cheaper where items are shorter than the rubric.
#order = "rubric-first"

# The text of the system turn, and how the model's answer begins; the label follows directly.
#system = "You are a careful editor."
#lead = "Grade: "

# The whole user message in your own words. {{criterion}} must be in it, and {{sections}} shows the fields.
# {{word}} is replaced by that field of the item, and {{{{word}}}} writes {{word}}.
#template = "{{sections}}\\n\\n{{criterion}}\\n{{scale}}\\n{{descriptions}}"

# Further fields that {{word}} in criterion or template may name.
#fields = ["audience"]

# Whether two responses may be called equally good where `pairs` compares them.
#ties = true

# What the scores mean. A key is one label, or a range of labels.
[descriptions]
"1-2" = "Padded: most of it could go."
3 = "Some sentences could go."
"4-5" = "Every sentence is needed."

# Choose the fields that {{sections}} shows, with titles and in an order of your own. This replaces require.
#[[section]]
#field = "instruction"
#title = "Task"
#optional = true
#[[section]]
#field = "response"
#title = "Answer"
"""


def list_rubrics() -> tuple[str, ...]:
    """Names of the shipped rubrics, sorted."""
    folder = resources.files(__package__) / "rubrics"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


def load_rubric(name_or_path: str | Path) -> Rubric:
    """A shipped rubric by its name, or one from a TOML file.

    A name with a folder in it, or one that ends in .toml, is a file's, and so is that of an existing file.

    Raises PromptError for an unknown name, an unreadable file, and every key that is missing,
    unknown or of the wrong kind, all in one message.
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


def rubric_from_table(table: Mapping[str, Any], where: str) -> Rubric:
    """A rubric from the keys of its TOML form. Raises PromptError, whose message begins with `where`."""
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
        ties=table.get("ties", False),
    )
    problems = _text_problems(rubric, tuple(table.get("fields", ())))
    if problems:
        raise PromptError(f"{where}: " + "; ".join(problems), _KEYS_HINT)
    return rubric


def write_skeleton(name: str, path: str | Path | None = None) -> Path:
    """Write a commented rubric that is valid as it is, and return its path.

    `path` is NAME.toml in the working folder where None. Raises PromptError for a name of other characters
    than letters, digits, - and _, where the file already exists, and where it cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise PromptError(f"{name!r} is not a name for a rubric", "use letters, digits, - and _, for instance: brevity")
    target = Path(path or f"{name}.toml")
    if target.suffix != ".toml":
        raise PromptError(f"{target}: a rubric's file must end in .toml", f"for instance -o {target.stem}.toml")
    try:
        with open(target, "x", encoding="utf-8") as file:
            file.write(_SKELETON.format(name=name, file=target))
    except FileExistsError:
        raise PromptError(f"{target} already exists and was left unchanged", "name another file with -o") from None
    except OSError as error:
        raise PromptError(f"{target}: cannot write: {error.strerror}", "name another place with -o") from None
    return target


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


def _sections(table: Mapping[str, Any]) -> tuple[PromptSection, ...]:
    if "section" in table:
        return tuple(PromptSection(s["field"], s["title"], s.get("optional", False)) for s in table["section"])
    required = ("response", *table.get("require", ()))
    return tuple(PromptSection(s.field, s.title, s.field not in required) for s in DEFAULT_SECTIONS)


def _key_problems(table: Mapping[str, Any]) -> list[str]:
    problems = [f"unknown key {key!r}" for key in table if key not in KEY_TYPES]
    problems += [f"missing key {key!r}" for key in ("name", "criterion") if key not in table]
    for key, kind in KEY_TYPES.items():
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
            problems.append(f"descriptions: {key!r} is not a label of the scale {describe_scale(rubric.scale)}")
        elif seen & set(labels):
            problems.append(f"descriptions: {key!r} describes a score twice")
        seen.update(labels)
    return problems
