"""Our logits of the labels against llama.cpp's: what is rounding, and what is another head."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lager_lite.errors import UnsupportedModelError
from lager_lite.judging.headcheck import check_head
from lager_lite.records import Head

STATE = np.array([3.0, 4.0], dtype=np.float32)


def checked(kind, theirs):
    """Check a head of two dimensions whose one label has the logit 10 * 7 / sqrt(12.5) = 19.799 against what llama.cpp says."""
    logits = np.array([theirs, 0.0, 0.0], dtype=np.float32)
    states = SimpleNamespace(states=np.stack([STATE, STATE]), logits=logits)
    backbone = SimpleNamespace(tokenize=lambda *_, **__: [1], adds_bos=None, read_states=lambda _: (states,))
    info = SimpleNamespace(paths=[Path("m.gguf")], architecture="llama")
    file = SimpleNamespace(info=info, tensors={"output.weight": SimpleNamespace(kind=SimpleNamespace(name=kind))})
    head = Head(np.full((1, 2), 10, np.float32), None, "rms", np.ones(2, np.float32), None, 0.0)
    return check_head(backbone, file, SimpleNamespace(lead=(), ids=(0,)), head)


@pytest.mark.parametrize(
    ("kind", "off", "rounding"),
    [
        ("F32", 0.015, True),
        ("F32", 0.03, False),
        ("F16", 0.03, False),
        ("BF16", 0.03, True),  # a copy of the default model was refused for 0.027 of 24.6
        ("BF16", 0.10, False),
        ("Q4_1", 0.30, True),  # the spread of (19.8, 0, 0) is 9.3
        ("Q4_1", 0.60, False),
    ],
)
def test_what_the_type_of_the_matrix_rounds_away_is_no_error(kind, off, rounding):
    if rounding:
        assert checked(kind, 19.799 + off) == pytest.approx(off / 9.33, rel=0.1)
    else:
        with pytest.raises(UnsupportedModelError, match="the head of architecture 'llama' is not understood"):
            checked(kind, 19.799 + off)
