"""Files cut after a block: smaller, and the same states as far as they go."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.backbones.model_file import open_model
from lager_lite.errors import ModelFileError, UnsupportedModelError
from lager_lite.llama.backbone import Backbone
from lager_lite.llama.options import BackendOptions
from lager_lite.llama.quantize import requantize
from lager_lite.performance.pruning import prune
from tests.model_files.tiny import FAMILIES, write_tiny_model

PROMPT = np.arange(3, 19, dtype=np.int32)
ATTENTION = [
    f for f in ("llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "gptneox", "gpt2", "mistral") if f in FAMILIES
]


def states(path, **more):
    with Backbone(path, BackendOptions.exact()) as backbone:
        return backbone.read_states([PROMPT], **more)[0].states


@pytest.mark.parametrize("family", ATTENTION)
def test_a_pruned_file_gives_the_same_states_bit_by_bit(tmp_path, family):
    source = write_tiny_model(tmp_path / "whole.gguf", family)
    whole = open_model(source).info
    state = whole.n_blocks - 2
    path = prune(source, tmp_path / "judge.gguf", state)
    info = open_model(path).info
    assert (info.n_blocks, info.whole_blocks, info.fingerprint) == (state + 1, whole.n_blocks, whole.fingerprint)
    assert path.stat().st_size < source.stat().st_size
    assert path.stat().st_mode == source.stat().st_mode
    assert np.array_equal(states(path, max_state=state), states(source)[: state + 1])


def test_the_metadata_outside_the_blocks_is_kept(tmp_path, tiny_model):
    path = prune(tiny_model, tmp_path / "judge.gguf", 0)
    before, after = open_model(tiny_model).header, open_model(path).header
    for key, entry in before.entries.items():
        if key != "llama.block_count":
            assert after.entries[key].item == entry.item, key
            assert (after.get(key), after.array(key)) == (before.get(key), before.array(key)), key


def test_a_pruned_file_can_be_pruned_again(tmp_path):
    source = write_tiny_model(tmp_path / "whole.gguf", "llama")
    once = prune(source, tmp_path / "two.gguf", 1)
    info = open_model(prune(once, tmp_path / "one.gguf", 0)).info
    assert (info.n_blocks, info.whole_blocks, info.fingerprint) == (1, 3, open_model(source).info.fingerprint)


def test_nothing_to_cut_is_an_error_and_writes_nothing(tmp_path, tiny_model):
    blocks = open_model(tiny_model).info.n_blocks
    with pytest.raises(
        UnsupportedModelError,
        match=f"nothing can be cut from .*: states up to {blocks - 1} need all of its {blocks} blocks",
    ):
        prune(tiny_model, tmp_path / "judge.gguf", blocks - 1)
    with pytest.raises(ModelFileError, match="cannot be written"):
        prune(tiny_model, tmp_path / "no" / "judge.gguf", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_requantized_copy_of_a_pruned_file_does_not_pass_for_the_source(tmp_path, tiny_model):
    path = prune(tiny_model, tmp_path / "judge.gguf", 0)
    other = open_model(requantize(path, tmp_path / "other.gguf", "F16")).info
    assert other.fingerprint != open_model(tiny_model).info.fingerprint
    assert (other.n_blocks, other.whole_blocks) == (1, 1)
