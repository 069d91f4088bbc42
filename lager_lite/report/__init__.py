"""HTML pages that work offline."""

from __future__ import annotations

from .page import check_report, write_report
from .pages import selection_notes, write_inspection, write_knowledge, write_ranking, write_selected

__all__ = [
    "check_report",
    "selection_notes",
    "write_inspection",
    "write_knowledge",
    "write_ranking",
    "write_report",
    "write_selected",
]
