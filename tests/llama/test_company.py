"""Whether states depend on company is tried at a file's first load, remembered, and told."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import MisuseError
from lager_lite.llama import guard
from lager_lite.llama.backbone import Backbone
from lager_lite.llama.company import SAME_BITS, measure_company, say_company, warn_company
from lager_lite.llama.context import least_rows
from lager_lite.llama.guard import check_loads, known_company
from lager_lite.llama.library import load
from lager_lite.llama.options import BackendOptions
from lager_lite.llama.products import choose_products


class Company:
    """A context whose states are off by one thousandth of the largest where several prompts are read, and by two where
    a prompt is longer than a batch."""

    capacity = 8

    def evaluate(self, prompts):
        for index in range(len(prompts)):
            states = np.full((1, 2, 3), 4.0, np.float32)
            states[0, 1, 1] += 0.004 * (len(prompts) > 1) * index + 0.008 * (len(prompts[index]) > self.capacity)
            yield type("Group", (), {"prompts": (index,), "states": states})


def test_a_difference_is_measured_against_the_largest_number() -> None:
    prompts = [np.arange(3), np.arange(2)]
    assert measure_company(Company(), prompts) == pytest.approx(0.001, rel=1e-3)
    assert measure_company(Company(), prompts[:1]) == 0
    context = Company()
    assert measure_company(context, prompts, cut=True) == pytest.approx(0.003, rel=1e-3), "cut, and in company"
    assert context.capacity == 8


def test_only_a_difference_is_warned_of() -> None:
    assert warn_company(None) == warn_company(0.0) == []
    (warning,) = warn_company(0.0123, stock=True)
    assert warning.startswith(
        "on this machine states differ by up to 0.01 (relative) between prompts read alone and in"
    )
    assert warning.endswith(
        "; BackendOptions(steady=True) or the patched library (`lager-lite backend build`) may prevent it"
    )
    (warning,) = warn_company(0.0123)
    assert warning.endswith("can move a score; BackendOptions(steady=True) may prevent it"), "as on a GPU"
    (warning,) = warn_company(0.0123, steady=True)
    assert warning.endswith("with BackendOptions(steady=True) too, so another order, shard or batch can move a score")
    (warning,) = warn_company(0.0123, steady=True, stock=True)
    assert (
        "alone and in company, with BackendOptions(steady=True) too, so" in warning
        and "; the patched library" in warning
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


@pytest.mark.parametrize(("enough", "left", "rows"), [(2, 0.0, 2), (8, 0.0, 8), (99, 0.1, 2)])
def test_a_lone_row_gets_the_company_that_it_needs(monkeypatch, tmp_path, tiny_model, enough, left, rows) -> None:
    """Two rows on most processors, four where llama.cpp's kernels for floats begin at four."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options, library = BackendOptions(threads=1, unpack="off", gpu_layers=0), load()

    def fake(path, options):
        return 0.1 if choose_products(library, options.unpack, path).least_rows < enough else 0.0

    monkeypatch.setattr(guard, "try_model", fake)
    assert guard.settle_company(tiny_model, options) == left
    products = choose_products(library, "off", tiny_model)
    assert products.least_rows == rows
    assert products.name == "llama.cpp's" + ("" if rows == 2 else f", at least {rows} rows")
    with Backbone(tiny_model, options) as backbone:
        assert least_rows(backbone) == rows
        lone, row = np.arange(3, 40, dtype=np.int32), []
        with backbone.context(64) as context:
            context.capacity = len(lone) - 1
            sent = context._run
            monkeypatch.setattr(
                context, "_run", lambda step, flags: (row.append(len(step.tokens)), sent(step, flags))[1]
            )
            list(context.evaluate([lone[:-1], lone]))
        assert row == [len(lone) - 1, rows]
