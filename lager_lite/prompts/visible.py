"""What of a text can be seen."""

from __future__ import annotations

import unicodedata

# Letters and symbols by their category, but drawn as nothing: the fillers of Hangul and the empty pattern of Braille.
_DRAWN_AS_NOTHING = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def is_visible(text: str) -> bool:
    """Whether a text has a character that can be seen: no space, no control, no sign of format, no filler."""
    return any(c not in _DRAWN_AS_NOTHING and not _is_bare(unicodedata.category(c)) for c in text)


def _is_bare(category: str) -> bool:
    return category in ("Cc", "Cf") or category.startswith("Z")
