"""HTML pages that work offline.

Each page shows one result of `evaluation` or `tasks` with figures, tables and a record of how it was made. `page` is
the frame that all of them share, `figures` draws, and every other file writes one page.
"""

from __future__ import annotations

from .evaluation import write_report
from .inspection import write_inspection
from .knowledge import write_knowledge
from .page import check_report
from .ranking import write_ranking
from .selection import selection_notes, write_selected
from .view import LARGE, safe_json, view_data, view_page, view_path, write_view

__all__ = [
    "LARGE",
    "check_report",
    "safe_json",
    "selection_notes",
    "view_data",
    "view_page",
    "view_path",
    "write_inspection",
    "write_knowledge",
    "write_ranking",
    "write_report",
    "write_selected",
    "write_view",
]
