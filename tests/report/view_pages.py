"""Pages of `view` for tests, and what is done in them again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lager_lite.data import write_rows
from lager_lite.judging import judgment_row
from lager_lite.records import Item, Judgment
from lager_lite.report import write_view
from lager_lite.tasks import open_view
from tests.report.browser import Browser

WORDS = ("pear", "plum", "quince")


def judgments(names: list[str], rubrics: tuple[str, ...] = ("helpfulness",), labels: str = "12345") -> list[Judgment]:
    share = {label: (place + 1) / 15 for place, label in enumerate(labels)}
    return [
        Judgment(
            name, rubric, 1 + (7 * n + place) % 40 / 10, probabilities=share, per_layer=(3.0, 2.5, 3.5), tokens=9, mass=0.9,
            flags=("saturated",) if n % 5 == 4 else (),
        )
        for n, name in enumerate(names)
        for place, rubric in enumerate(rubrics)
    ]  # fmt: skip


def items(names: list[str]) -> list[Item]:
    return [
        Item(
            name,
            {
                "instruction": f"Name {WORDS[n % 3]}s.",
                "response": f"Answer {n}: " + "word " * (n % 60),
                "system": f"s{n % 2}",
            },
            {"": (float(1 + n % 5),)} if n % 4 else {},
        )
        for n, name in enumerate(names)
    ]


def page(folder: Path, given: list[Judgment], texts: list[Item] | None, **more: Any) -> str:
    """The address of a page of judgments."""
    write_rows(folder / "scores.jsonl", [judgment_row(one, details=True) for one in given])
    write_view(folder / "scores.html", open_view(folder / "scores.jsonl", texts, **more))
    return (folder / "scores.html").as_uri()


def listed(browser: Browser) -> list[str]:
    script = "[...document.querySelectorAll('#rows [role=row]')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
    found: list[str] = browser.run(script + ".map((row) => row.firstChild.innerText)")
    return found


def begin(browser: Browser, address: str) -> None:
    """Open a page as if for the first time."""
    browser.errors.clear()
    browser.requests.clear()
    browser.open(address)
    browser.run("localStorage.clear()")
    browser.open(address)


def load(browser: Browser, path: Path) -> None:
    """Load labels from a file."""
    node = browser.send("DOM.getDocument")["root"]["nodeId"]
    field = browser.send("DOM.querySelector", nodeId=node, selector="#load-file")["nodeId"]
    browser.send("DOM.setFileInputFiles", nodeId=field, files=[str(path)])
    browser.wait("document.getElementById('loaded').innerText")
