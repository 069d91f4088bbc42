"""Our logits against llama.cpp's: no label is refused for rounding, and no wrong output layer passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lager_lite.backbones import locate_model, open_model
from lager_lite.errors import UnsupportedModelError
from lager_lite.judging.headcheck import check_head
from lager_lite.judging.judge import Judge
from lager_lite.llama import Backbone, BackendOptions, requantize
from lager_lite.prompts import make_rubric
from tests.effort import repeated
from tests.model_files.tiny import FAMILIES, write_tiny_model

TYPES = ("F32", "Q8_0", "BF16")


class _Changed:
    """A model file whose output layer is read with a change."""

    def __init__(self, file, change):
        self._file, self._change = file, change

    def __getattr__(self, name):
        return getattr(self._file, name)

    def head(self, ids):
        return self._change(self._file.head(ids))


def label_sets(vocabulary: int, count: int) -> list[tuple[int, ...]]:
    """Sets of two to nine tokens, drawn from the whole vocabulary."""
    rng = np.random.default_rng(11)
    return [tuple(map(int, rng.choice(vocabulary, size=rng.integers(2, 10), replace=False))) for _ in range(count)]


def with_one_row_replaced(head, other):
    rows = head.rows.copy()
    rows[-1] = other.rows[0]
    return replace(head, rows=rows)


def check_everything(path: Path, sets: int, replaced: int) -> None:
    """Right labels pass, `sets` of them at once; every wrong output layer is refused."""
    file = open_model(path)
    wanted = label_sets(file.info.n_vocab, sets)
    rng = np.random.default_rng(5)
    with Backbone(path, BackendOptions(threads=1)) as backbone:
        assert check_head(backbone, file, {ids: file.head(ids) for ids in wanted}) < 0.05
        wrong = {
            "no norm": lambda head: replace(head, norm_weight=None),
            "scale": lambda head: replace(head, logit_scale=head.logit_scale * 1.1),
            "shifted rows": lambda head: replace(head, rows=np.roll(head.rows, 1, axis=0)),
        }
        for name, change in wrong.items():
            if name == "no norm" and file.head([0]).norm_weight is None:
                continue
            with pytest.raises(UnsupportedModelError, match="the output layer of the architecture"):
                check_head(backbone, _Changed(file, change), {})
                pytest.fail(f"{name} passed")
        for ids in wanted[:replaced]:
            other = next(t for t in map(int, rng.integers(file.info.n_vocab, size=20)) if t not in ids)
            if np.allclose(file.head([other]).rows, file.head([ids[-1]]).rows):
                continue
            with pytest.raises(UnsupportedModelError, match=f"our logits of token {ids[-1]} differ"):
                check_head(backbone, file, {ids: with_one_row_replaced(file.head(ids), file.head([other]))})


@pytest.mark.parametrize("family", ["llama", "gemma2", "command-r", "gpt2", "falcon"])
@pytest.mark.parametrize("kind", TYPES)
def test_right_labels_pass_and_wrong_output_layers_do_not(tmp_path, family, kind):
    assert family in FAMILIES
    path = write_tiny_model(tmp_path / "float.gguf", family)
    if kind != "F32":
        path = requantize(path, tmp_path / "small.gguf", kind)
    check_everything(path, sets=50, replaced=5)


@pytest.mark.parametrize("vocabulary", ["llama-bpe", "qwen2", "phi-3", "gpt-2", "command-r"])
def test_of_a_thousand_label_sets_of_a_real_vocabulary_none_is_refused(tmp_path, sdist_folder, vocabulary):
    vocabulary_file = sdist_folder / "vendor" / "llama.cpp" / "models" / f"ggml-vocab-{vocabulary}.gguf"
    path = write_tiny_model(tmp_path / "float.gguf", "llama", vocab_from=vocabulary_file, n_blocks=2)
    check_everything(requantize(path, tmp_path / "small.gguf", "Q8_0"), sets=repeated(1000), replaced=repeated(25))


@pytest.mark.model
def test_of_a_thousand_label_sets_of_the_default_model_none_is_refused():
    path = locate_model(None).path
    check_everything(path, sets=repeated(1000), replaced=repeated(25))


@pytest.mark.model
def test_the_default_model_takes_letters_and_words_as_labels():
    """The tolerance used to be a maximum over labels: letters A to J lay above it and the model was refused."""
    letters = make_rubric("letters", "Is it good?", scale="A-J")
    words = make_rubric("words", "Is it good?", scale=["low", "medium", "high"])
    with Judge(locate_model(None).path, rubric=[letters, words], options=BackendOptions(threads=2)) as judge:
        assert judge.self_check() < 0.05
