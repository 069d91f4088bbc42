"""The generator of tiny models: reproducible files that llama.cpp can run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lager_lite.backbones.model_file import open_model
from lager_lite.backbones.tensors import read_rows
from tests.model_files.dequantize import write_float32
from tests.model_files.families import FAMILIES
from tests.model_files.tiny import CONTROL_TOKENS, byte_vocabulary, llama3_factors, write_tiny_model

ROOT = Path(__file__).resolve().parents[2]


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_tiny_model(tmp_path / f"{i}.gguf", "llama", seed=3) for i in range(2))
    assert first.read_bytes() == second.read_bytes()


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    first, second = (write_tiny_model(tmp_path / f"{i}.gguf", "llama", seed=i) for i in range(2))
    assert open_model(first).info.fingerprint != open_model(second).info.fingerprint


def test_blocks_keep_their_weights_when_a_model_grows(tmp_path: Path) -> None:
    small = open_model(write_tiny_model(tmp_path / "2.gguf", "qwen2", n_blocks=2))
    large = open_model(write_tiny_model(tmp_path / "4.gguf", "qwen2", n_blocks=4))
    name = "blk.1.attn_q.weight"
    np.testing.assert_array_equal(read_rows(small.tensors[name], [0, 5]), read_rows(large.tensors[name], [0, 5]))
    assert (small.info.n_blocks, large.info.n_blocks) == (2, 4)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_activations_are_sane(tmp_path: Path, family: str) -> None:
    pytest.importorskip("llama_cpp")
    from lager_lite.llama.backbone import Backbone
    from lager_lite.llama.options import BackendOptions

    path = write_tiny_model(tmp_path / "m.gguf", family)
    with Backbone(path, BackendOptions.exact(threads=1)) as backbone:
        found = backbone.read_states([list(range(40, 80))])[0]
    size = np.sqrt(np.mean(found.states**2, axis=1))
    assert len(size) == open_model(path).info.n_blocks + 1
    assert size.min() > 0.2 and size.max() < 10
    assert 0.5 < found.logits.std() < 10
    # A cap of 3 is part of the Gemma 2 model here; elsewhere no logit is saturated.
    assert np.abs(found.logits).max() < 30


@pytest.mark.parametrize("scaling", ["linear", "yarn", "llama3"])
def test_rope_scaling_changes_states_beyond_the_first_token(tmp_path: Path, scaling: str) -> None:
    pytest.importorskip("llama_cpp")
    from lager_lite.llama.backbone import Backbone
    from lager_lite.llama.options import BackendOptions

    states = []
    for name in (None, scaling):
        path = write_tiny_model(tmp_path / f"{name}.gguf", "llama", rope_scaling=name)
        with Backbone(path, BackendOptions.exact(threads=1)) as backbone:
            states.append(backbone.read_states([list(range(40, 120))])[0].states)
    np.testing.assert_array_equal(states[0][0], states[1][0])
    assert np.abs(states[0][-1] - states[1][-1]).max() > 0.01


def test_an_unknown_rope_scaling_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rope_scaling must be one of .*, got 'cubic'"):
        write_tiny_model(tmp_path / "m.gguf", "llama", rope_scaling="cubic")


def test_llama3_factors_keep_high_and_divide_low_frequencies() -> None:
    # Wavelengths 6.3 to 2e4 against the bounds 64/4 and 64/1.
    factors = llama3_factors(16)
    assert factors[0] == 1.0 and factors[-1] == 8.0
    assert (np.diff(factors) >= 0).all()


def test_the_built_in_vocabulary_spells_any_text_and_keeps_control_tokens_apart(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    from lager_lite.llama.backbone import Backbone
    from lager_lite.llama.options import BackendOptions

    tokens, _ = byte_vocabulary()
    assert len(tokens) == len(set(tokens))
    path = write_tiny_model(tmp_path / "m.gguf", "llama")
    text = "Naïve 10/10 <|im_end|> 🙂"
    with Backbone(path, BackendOptions(threads=1)) as backbone:
        plain = backbone.tokenize(text, parse_special=False)
        parsed = backbone.tokenize(text, parse_special=True)
        assert backbone.detokenize(plain) == text
        assert not any(backbone.is_control(t) for t in plain)
        assert [t for t in parsed if backbone.is_control(t)] == [tokens.index("<|im_end|>")]
        assert all(len(backbone.tokenize(str(d), parse_special=False)) == 1 for d in range(10))


def test_a_real_vocabulary_is_copied(tmp_path: Path, sdist_folder: Path) -> None:
    source = sdist_folder / "vendor" / "llama.cpp" / "models" / "ggml-vocab-phi-3.gguf"
    model = open_model(write_tiny_model(tmp_path / "m.gguf", "llama", vocab_from=source))
    assert model.info.n_vocab == 32064
    assert model.info.tokenizer_model == "llama"
    assert (model.info.bos_text, model.info.eos_text) == ("<s>", "<|endoftext|>")


@pytest.mark.parametrize("tied", [True, False])
def test_tied_decides_whether_there_is_an_output_matrix(tmp_path: Path, tied: bool) -> None:
    model = open_model(write_tiny_model(tmp_path / "m.gguf", "llama", tied=tied))
    assert ("output.weight" in model.tensors) is not tied


def test_overrides_add_and_drop_metadata(tmp_path: Path) -> None:
    changes = {"general.name": "mine", "general.file_type": None}
    header = open_model(write_tiny_model(tmp_path / "m.gguf", "llama", overrides=changes)).header
    assert header.get("general.name") == "mine"
    assert "general.file_type" not in header.entries


def test_the_float32_copy_holds_the_dequantized_weights(tmp_path: Path) -> None:
    source = open_model(write_tiny_model(tmp_path / "q.gguf", "llama", ftype="Q8_0"))
    copy = open_model(write_float32(source.info.paths[0], tmp_path / "f.gguf"))
    assert (source.info.quantization, copy.info.quantization) == ("Q8_0", "F32")
    assert copy.info.chat_template == source.info.chat_template
    for name, tensor in source.tensors.items():
        np.testing.assert_array_equal(read_rows(tensor, [0]), read_rows(copy.tensors[name], [0]))


def test_the_command_writes_a_model(tmp_path: Path) -> None:
    out = tmp_path / "gemma3.gguf"
    command = [sys.executable, "-m", "tests.model_files.tiny", "gemma3", str(out), "--ftype", "F16"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == f"{out}: {out.stat().st_size:,} bytes\n"
    assert open_model(out).info.quantization == "F16"
    assert CONTROL_TOKENS[2] == open_model(out).info.eos_text
