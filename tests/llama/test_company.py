"""Whether states depend on company is tried at a file's first load, remembered, and told."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import MisuseError
from lager_lite.llama.backbone import Backbone
from lager_lite.llama.company import SAME_BITS, measure_company, say_company, warn_company
from lager_lite.llama.guard import check_loads, known_company
from lager_lite.llama.options import BackendOptions


class Company:
    """A context whose states are off by one thousandth of the largest where several prompts are read."""

    def evaluate(self, prompts):
        for index in range(len(prompts)):
            states = np.full((1, 2, 3), 4.0, np.float32)
            states[0, 1, 1] += 0.004 * (len(prompts) > 1) * index
            yield type("Group", (), {"prompts": (index,), "states": states})


def test_a_difference_is_measured_against_the_largest_number() -> None:
    prompts = [np.arange(3), np.arange(2)]
    assert measure_company(Company(), prompts) == pytest.approx(0.001, rel=1e-3)
    assert measure_company(Company(), prompts[:1]) == 0


def test_only_a_difference_is_warned_of() -> None:
    assert warn_company(None) == warn_company(0.0) == []
    (warning,) = warn_company(0.0123)
    assert warning.startswith(
        "on this machine states differ by up to 0.01 (relative) between prompts read alone and in"
    )
    assert say_company(0.0) == SAME_BITS


def test_the_first_load_remembers_what_company_makes_of_a_file(tmp_path, monkeypatch, tiny_model, invoke) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = BackendOptions(threads=1)
    assert known_company(tiny_model, options) is None
    assert check_loads(tiny_model, options)
    difference = known_company(tiny_model, options)
    assert difference is not None and difference < 1e-5  # float weights
    assert known_company(tiny_model, BackendOptions.exact(threads=1)) is None, "other settings compute other numbers"
    done = invoke("doctor", "-m", tiny_model, "-t", 1, "--no-trial")
    assert f"company           {say_company(difference)}\n" in done.stdout


def test_a_backbone_says_what_computes_it(tiny_model) -> None:
    with Backbone(tiny_model, BackendOptions(gpu_layers=0)) as backbone:
        assert backbone.place == "CPU"
    with pytest.raises(MisuseError):
        backbone.handle  # noqa: B018
