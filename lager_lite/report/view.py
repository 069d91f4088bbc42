"""The page of `view`: one file to look through judgments, and to label the items by hand.

The page is a skeleton, a style sheet, a few scripts and the data as JSON. Its policy allows those scripts and that
style by their hashes and nothing else, so that neither a request nor a script inside the data can run. The scripts put
texts into the page as text only. Besides that, the data is written so that no reader of HTML can take it for markup.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..data import ALIASES, SYSTEM_FIELDS, apart_from, words_of
from ..judging import judgment_row
from ..prompts import covered_labels
from ..records import Item, Judgment, id_for_results
from ..system import check_not_read, write_beside
from ..tasks import Criterion, Viewing, human_score
from .page import filled_template

LARGE = 100 * 10**6
"""The size of a page, in bytes, from which a browser takes long to open it."""

_FOLDER = Path(__file__).parent / "templates" / "view"
_SCRIPTS = ("tools", "data", "storage", "filters", "list", "charts", "detail", "rating", "labelling", "keys", "main")
# What could end the script element or a line of it, turn the direction of text, or not be UTF-8.
_UNSAFE = re.compile(
    "[<>&\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff0-\uffff\ud800-\udfff]"
)
_EXACT = 2**53
"""The largest whole number up to which a browser tells all whole numbers apart."""
# Keys of a labelled row that are not fields, and fields that would be taken for a score.
_LEFT_OUT = frozenset((*ALIASES["score"], *ALIASES["scores"], "id", "group"))
_FIRST = ("instruction", "source", "reference", "rubric")


def view_path(scores: str | Path) -> str:
    """Return the name of the page of a file of judgments without -o: beside it, with .view.html in place of its ending."""
    if str(scores) == "-":
        return "view.html"
    path = Path(scores)
    bare = path.name.removesuffix(".gz")
    return str(path.with_name(Path(bare).stem + ".view.html"))


def write_view(path: str | Path, view: Viewing) -> int:
    """Write the page; return its size in bytes.

    Raises OutputError where it cannot be written, or is a file that the judgments or the items were read from.
    """
    check_not_read(path, [view.path] if view.path != "-" else [])
    apart_from(path, list(view.items.values()))
    text = view_page(view)
    write_beside(path, lambda file: file.write(text), text=True)
    return len(text.encode("utf-8"))


def view_page(view: Viewing) -> str:
    """Return the whole page as text."""
    style, script = _read("view.css"), _script()
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return filled_template(
        "view.html",
        title=_UNSAFE.sub(lambda found: found[0] if found[0] in "<>&" else "\ufffd", view.name),
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        data=Markup(safe_json(view_data(view))),
    )


def safe_json(value: object) -> str:
    """Return JSON that can stand in a script element: no markup, no hidden character, nothing that is not UTF-8."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def view_data(view: Viewing) -> dict[str, Any]:
    """Return the data of the page; every text stands in it once, in `texts`."""
    texts: dict[str, int] = {}
    places: dict[str, int] = {}
    items: list[dict[str, Any]] = []
    for judgment in view.judgments:
        if judgment.id not in places:
            places[judgment.id] = len(items)
            items.append(_item(judgment.id, view.items.get(judgment.id), view.criteria, texts))
    criteria = {criterion.name: place for place, criterion in enumerate(view.criteria)}
    rows = [
        {
            "item": places[judgment.id],
            "criterion": criteria[judgment.rubric],
            **_judged(judgment, view.items.get(judgment.id)),
        }
        for judgment in view.judgments
    ]
    found: dict[str, Any] = {
        "name": view.name,
        "warnings": list(view.warnings),
        "criteria": [_criterion(criterion) for criterion in view.criteria],
        "items": items,
        "texts": list(texts),
    }
    return {**found, "key": _key(found), "rows": rows}


def _key(found: Mapping[str, Any]) -> str:
    """What is labelled, as a digest: the same items and criteria keep their labels when they are scored again."""
    labelled = [
        found["texts"],
        [[item["id"], item["fields"]] for item in found["items"]],
        [[one["name"], one["labels"], one["values"]] for one in found["criteria"]],
    ]
    text = json.dumps(labelled, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def _criterion(criterion: Criterion) -> dict[str, Any]:
    scale, rubric = criterion.scale, criterion.rubric
    labels = scale.labels if scale else ()
    meanings: dict[str, str] = {}
    for key, text in rubric.descriptions if rubric else ():
        meanings.update(dict.fromkeys(covered_labels(rubric.scale, key) if rubric else (), text))
    return {
        "name": criterion.name,
        "labels": list(labels),
        "values": list(scale.values) if scale else [],
        "question": rubric.criterion.strip() if rubric else "",
        "shipped": rubric is not None and not criterion.is_given,
        "meanings": [meanings.get(label, "") for label in labels],
    }


def _item(identity: str, item: Item | None, criteria: Sequence[Criterion], texts: dict[str, int]) -> dict[str, Any]:
    number = id_for_results(identity)
    exact = type(number) is int and abs(number) <= _EXACT
    found: dict[str, Any] = {"id": number if exact else str(identity), "fields": {}}
    if item is None:
        return found
    fields = dict(item.fields) | ({} if item.rendered is None else {"rendered": item.rendered})
    if fields.get("input") and fields.get("instruction", "").endswith("\n\n" + fields["input"]):
        del fields["input"]  # the instruction ends with it
    judged = {name: None for criterion in criteria for name in criterion.is_judged(item)}
    shown = {name: None for criterion in criteria if criterion.rubric for name in criterion.rubric.required}
    order = dict.fromkeys([*judged, *_FIRST, *shown, *fields])
    kept = [name for name in order if name in fields and name.lower() not in _LEFT_OUT]
    found["fields"] = {name: texts.setdefault(fields[name], len(texts)) for name in kept}
    found["judged"] = list(judged)
    found["blind"] = [name for name in kept if name in judged or name in _FIRST or name in shown]
    found["given"] = [name for name in kept if name in found["blind"] or name.lower() in SYSTEM_FIELDS]
    found["words"] = sum(len(words_of(fields.get(name, ""))) for name in judged)
    found["group"], found["system"] = item.group, _system(item)
    return found


def _system(item: Item) -> str | None:
    """The name of what wrote the response; None where no field says it."""
    fields = {name.lower(): text for name, text in item.fields.items()}
    return next((fields[name] for name in SYSTEM_FIELDS if fields.get(name, "").strip()), None)


def _judged(judgment: Judgment, item: Item | None) -> dict[str, Any]:
    """The row of a judgment without what another place of the data says, and without what is not there."""
    row = judgment_row(judgment, details=True)
    for name in ("id", "rubric"):
        del row[name]
    row["probabilities"] = list((judgment.probabilities or {}).values())
    row["feedback"] = list(judgment.feedback or ())
    row["human"] = human_score(item, judgment.rubric) if item else None
    row["people"] = list(item.scores_for(judgment.rubric)) if item else []
    return {name: value for name, value in row.items() if value is not None and value != []}


@functools.cache
def _script() -> str:
    """All scripts as one, which runs in a scope of its own."""
    parts = "\n".join(_read(f"{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}\n}})();\n'


@functools.cache
def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
