"""Figures that a command measured, put on a page of the documentation between marks that hold their place."""

from __future__ import annotations

import re
from pathlib import Path


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands on the page between `<!-- name -->` and `<!-- end name -->`. Raises ValueError without them."""
    whole = page.read_text(encoding="utf-8")
    found = re.search(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", whole, re.DOTALL)
    if found is None:
        raise ValueError(f"{page} has no place named {name}")
    begin, end = found.end(1), found.start(2)
    page.write_text(whole[:begin] + text.strip("\n") + "\n" + whole[end:], encoding="utf-8")
