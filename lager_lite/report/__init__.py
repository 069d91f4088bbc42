"""HTML pages that work offline, and what a gate hands to a CI.

Each page shows one result of `evaluation` or `tasks` with figures, tables and a record of how it was made. `page` is
the frame that all of them share, `figures` draws, and every other file writes one page; `gating` writes Markdown and
JUnit XML.
"""

from __future__ import annotations

from .evaluation import write_report
from .gating import append_markdown, gate_head, gate_junit, gate_markdown, gate_notes, gate_rows, write_junit
from .inspection import write_inspection
from .knowledge import write_knowledge
from .page import check_report
from .pairs import write_pairs
from .ranking import write_ranking
from .selection import selection_notes, write_selected
from .view import LARGE, safe_json, view_data, view_page, view_path, write_view

__all__ = [
    "LARGE",
    "append_markdown",
    "check_report",
    "gate_head",
    "gate_junit",
    "gate_markdown",
    "gate_notes",
    "gate_rows",
    "safe_json",
    "selection_notes",
    "view_data",
    "view_page",
    "view_path",
    "write_inspection",
    "write_junit",
    "write_knowledge",
    "write_pairs",
    "write_ranking",
    "write_report",
    "write_selected",
    "write_view",
]
