"""The JSON of weights files, before anybody knows what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import Advice, WeightsError

MAKE_ONE = Advice("make one with lager-lite fit", "make one with fit_weights")
MAKE_AGAIN = Advice("make it again with lager-lite fit", "make it again with fit_weights")


def read_weights_json(path: str | Path) -> Any:
    """What the file holds. Raises WeightsError where it cannot be read, or is no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(f"the weights file {path} cannot be read: {error.strerror}", MAKE_ONE) from error
    except ValueError as error:
        raise WeightsError(f"the weights file {path} is not JSON: {error}", MAKE_AGAIN) from error
