"""llama.cpp's states against transformers, computed side by side (extra `parity`)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
pytest.importorskip("torch", reason="the extra `parity` is not installed")
pytest.importorskip("transformers", reason="the extra `parity` is not installed")
pytest.importorskip("accelerate", reason="the extra `parity` is not installed")
pytest.importorskip("llama_cpp")

from lager_lite.llama.backbone import Backbone
from lager_lite.llama.options import BackendOptions
from tests.oracle import hf_reference
from tests.oracle.oracle_cases import CASES, GELU, GOLDEN, NAMES, STATE_TOLERANCE, prompts, relative_errors, write_case

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("name", NAMES)
def test_states_equal_those_of_transformers(tmp_path: Path, name: str) -> None:
    family, scaling = CASES[NAMES.index(name)]
    path = write_case(tmp_path, name)
    with Backbone(path, BackendOptions.exact()) as backbone:
        found = backbone.read_states(prompts())
    model = hf_reference.build(family, path, scaling)
    errors = [_worst(found, model)]
    if family in GELU:
        # float16 has 11 bits: a table GELU moves a state by some 5e-4 against an exact one.
        assert errors[0] <= 1e-3
        assert hf_reference.use_table_gelu(model) > 0
        errors.append(_worst(found, model))
    assert min(errors) <= STATE_TOLERANCE


@pytest.mark.parametrize("name", ["llama", "qwen2", "stablelm"])
def test_states_equal_those_of_transformers_own_gguf_reader(tmp_path: Path, name: str) -> None:
    path = write_case(tmp_path, name)
    with Backbone(path, BackendOptions.exact()) as backbone:
        found = backbone.read_states(prompts())
    assert _worst(found, hf_reference.read_gguf(path)) <= STATE_TOLERANCE


@pytest.mark.parametrize("name", ["llama", "gemma3", "command-r"])
def test_golden_arrays_are_what_transformers_computes(tmp_path: Path, name: str) -> None:
    family, scaling = CASES[NAMES.index(name)]
    model = hf_reference.build(family, write_case(tmp_path, name), scaling)
    with np.load(GOLDEN / "tiny.npz") as golden:
        for tokens, wanted in zip(prompts(), golden[f"{name}/states"]):
            # The same operations in float32; only the order of sums may differ between machines.
            assert relative_errors(hf_reference.read_states(model, tokens)[0], wanted).max() <= 1e-5


def test_states_are_the_hidden_states_of_transformers(tmp_path: Path) -> None:
    import torch

    model = hf_reference.build("llama", write_case(tmp_path, "llama"))
    tokens = prompts()[0]
    states, final, _ = hf_reference.read_states(model, tokens)
    with torch.no_grad():
        hidden = model(torch.tensor([tokens]), output_hidden_states=True).hidden_states
    np.testing.assert_array_equal(np.stack([h[0, -1].numpy() for h in hidden[:-1]]), states[:-1])
    np.testing.assert_array_equal(hidden[-1][0, -1].numpy(), final)


def _worst(found: list, model: object) -> float:
    return max(
        relative_errors(s.states, hf_reference.read_states(model, tokens)[0]).max()
        for s, tokens in zip(found, prompts())
    )
