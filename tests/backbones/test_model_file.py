"""The GGUF file: what it says about itself, its head, its fingerprint."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

from lager_lite.backbones.architectures import UNSUPPORTED, logit_scale
from lager_lite.backbones.header import TensorInfo
from lager_lite.backbones.model_file import open_model
from lager_lite.backbones.tensors import read_rows
from lager_lite.errors import ModelFileError, UnsupportedModelError
from tests.model_files.families import FAMILIES
from tests.model_files.tiny import CHAT_TEMPLATE, byte_vocabulary, write_tiny_model

IDS = (49, 48, 60)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny.gguf", "llama")


def split(source: Path, prefix: Path, count: int) -> list[Path]:
    """Write a file's tensors and metadata as parts, as llama.cpp's gguf-split does."""
    tensors = [(t.name, np.array(t.data)) for t in GGUFReader(source).tensors]
    header = open_model(source).header
    paths = []
    for i in range(count):
        paths.append(Path(f"{prefix}-{i + 1:05d}-of-{count:05d}.gguf"))
        writer = GGUFWriter(str(paths[-1]), "llama")
        if i == 0:
            for key, entry in header.entries.items():
                if key == "general.architecture":
                    continue
                if entry.value is None:
                    writer.add_array(key, list(header.array(key)))
                else:
                    writer.add_key_value(key, entry.value, entry.item)
        writer.add_uint16("split.no", i)
        writer.add_uint16("split.count", count)
        writer.add_int32("split.tensors.count", len(tensors))
        for name, data in tensors[i::count]:
            writer.add_tensor(name, data)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return paths


def test_info_says_what_the_file_is(tiny: Path) -> None:
    info = open_model(tiny).info
    tokens, _ = byte_vocabulary()
    assert (info.paths, info.size_bytes) == ((tiny,), tiny.stat().st_size)
    assert (info.architecture, info.name, info.quantization) == ("llama", "random weights", "F32")
    assert (info.n_blocks, info.n_embd, info.n_vocab, info.n_ctx_train) == (3, 64, len(tokens), 4096)
    assert (info.bos_text, info.eos_text) == ("<|endoftext|>", "<|im_end|>")
    assert (tokens[info.bos_id], tokens[info.eos_id]) == ("<|endoftext|>", "<|im_end|>")
    assert (info.add_bos, info.add_space_prefix, info.tokenizer_model) == (False, None, "gpt2")
    assert (info.chat_template, info.recurrent, info.sliding_window) == (CHAT_TEMPLATE, False, 0)


def test_blocks_for_multi_token_prediction_are_not_counted(tmp_path: Path) -> None:
    changes = {"llama.nextn_predict_layers": 1}
    assert open_model(write_tiny_model(tmp_path / "m.gguf", "llama", overrides=changes)).info.n_blocks == 2


def test_what_the_file_does_not_say_is_none(tmp_path: Path) -> None:
    silent = ("tokenizer.chat_template", "tokenizer.ggml.bos_token_id", "tokenizer.ggml.add_bos_token", "general.name")
    path = tmp_path / "named-by-file.gguf"
    source = open_model(write_tiny_model(tmp_path / "m.gguf", "llama"))
    writer = GGUFWriter(str(path), "llama")
    for key, entry in source.header.entries.items():
        if key in silent or key == "general.architecture":
            continue
        if entry.value is None:
            writer.add_array(key, list(source.header.array(key)))
        else:
            writer.add_key_value(key, entry.value, entry.item)
    for tensor in GGUFReader(source.info.paths[0]).tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    info = open_model(path).info
    assert (info.chat_template, info.bos_id, info.bos_text, info.add_bos) == (None, None, None, None)
    assert info.name == "named-by-file"
    assert info.fingerprint != source.info.fingerprint


def test_recurrent_and_sliding_window_models_say_so(tmp_path: Path) -> None:
    assert open_model(write_tiny_model(tmp_path / "a.gguf", "mamba")).info.recurrent
    assert open_model(write_tiny_model(tmp_path / "b.gguf", "gemma3")).info.sliding_window == 16


@pytest.mark.parametrize("ftype", ["F32", "F16", "BF16", "Q8_0", "Q5_1", "Q4_0"])
@pytest.mark.parametrize("tied", [True, False])
def test_head_rows_are_those_of_the_whole_dequantized_matrix(tmp_path: Path, ftype: str, tied: bool) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", "llama", ftype=ftype, tied=tied)
    name = "token_embd.weight" if tied else "output.weight"
    whole = next(t for t in GGUFReader(path).tensors if t.name == name)
    head = open_model(path).head(IDS)
    np.testing.assert_array_equal(head.rows, dequantize(whole.data, whole.tensor_type)[list(IDS)])
    assert (head.rows.dtype, head.rows.shape) == (np.float32, (3, 64))


KINDS = [k for k in GGML_QUANT_SIZES if k.name[0] in "QITMNB" and k.name not in ("I8", "I16", "I32", "I64", "IQ1_M")]


@pytest.mark.parametrize("kind", [k for k in KINDS if k.name not in ("Q8_1", "Q8_K", "Q1_0")], ids=lambda k: k.name)
def test_single_rows_of_every_quantization_equal_the_whole_matrix(tmp_path: Path, kind: GGMLQuantizationType) -> None:
    block, width = GGML_QUANT_SIZES[kind]
    # Bytes below 0x40 keep every float16 scale finite.
    raw = np.random.default_rng(0).integers(0, 0x40, (5, 512 // block * width), dtype=np.uint8)
    path = tmp_path / "rows.bin"
    path.write_bytes(b"x" * 7 + raw.tobytes())
    tensor = TensorInfo("token_embd.weight", (512, 5), kind, path, 7, raw.nbytes)
    np.testing.assert_array_equal(read_rows(tensor, [4, 1]), dequantize(raw, kind)[[4, 1]])


def test_a_quantization_that_cannot_be_read_back_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.bin"
    path.write_bytes(bytes(72))
    tensor = TensorInfo("output.weight", (32, 2), GGMLQuantizationType.Q8_1, path, 0, 72)
    with pytest.raises(UnsupportedModelError) as caught:
        read_rows(tensor, [0])
    assert caught.value.message == f"{path}: output.weight is quantized as Q8_1, which cannot be read back"


def test_ids_outside_the_vocabulary_are_refused(tiny: Path) -> None:
    model = open_model(tiny)
    with pytest.raises(ValueError, match=rf"token ids must lie in 0..{model.info.n_vocab - 1}, got \[5, -1\]"):
        model.head([5, -1])


@pytest.mark.parametrize(
    "family, kind, scale, cap",
    [
        ("llama", "rms", 1.0, 0.0),
        ("gemma2", "rms", 1.0, 3.0),
        ("command-r", "layer", 0.5, 0.0),
        ("granite", "rms", 1 / 2.0, 0.0),
        ("minicpm", "rms", 64 / 256, 0.0),
        ("gptneox", "layer", 1.0, 0.0),
    ],
)
def test_norm_kind_scale_and_cap_follow_the_architecture(
    tmp_path: Path, family: str, kind: str, scale: float, cap: float
) -> None:
    head = open_model(write_tiny_model(tmp_path / "m.gguf", family)).head(IDS)
    assert (head.norm_kind, head.logit_scale, head.softcap) == (kind, scale, cap)
    assert head.norm_eps == pytest.approx(1e-5, rel=1e-6)  # stored as float32
    assert (head.norm_bias is not None) == FAMILIES[family].norm_bias


def test_a_norm_without_gain_has_no_weight(tmp_path: Path) -> None:
    assert open_model(write_tiny_model(tmp_path / "m.gguf", "olmo")).head(IDS).norm_weight is None


def test_the_output_bias_is_read_for_the_score_tokens(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", "phi2")
    whole = next(t.data for t in GGUFReader(path).tensors if t.name == "output.bias")
    np.testing.assert_array_equal(open_model(path).head(IDS).bias, whole[list(IDS)])


def test_logit_scales_that_files_leave_out_are_those_of_llama_cpp() -> None:
    assert logit_scale("grok", None, 64) == 0.5773502691896257
    assert logit_scale("minicpm3", None, 512) == 0.5
    assert logit_scale("granitehybrid", None, 64) == 1.0
    assert logit_scale("granite", 8.0, 64) == 0.125
    assert logit_scale("qwen2", 8.0, 64) == 1.0


def test_gemma_caps_that_files_leave_out_are_those_of_llama_cpp(tmp_path: Path) -> None:
    changes = {"gemma2.final_logit_softcapping": None}
    assert open_model(write_tiny_model(tmp_path / "2.gguf", "gemma2", overrides=changes)).head(IDS).softcap == 30.0
    assert open_model(write_tiny_model(tmp_path / "3.gguf", "gemma3")).head(IDS).softcap == 0.0


def test_the_fingerprint_survives_a_new_name_description_and_chat_template(tmp_path: Path, tiny: Path) -> None:
    fingerprint = open_model(tiny).info.fingerprint
    assert fingerprint.startswith("sha256:") and len(fingerprint) == 71
    shutil.copy(tiny, tmp_path / "copy.gguf")
    assert open_model(tmp_path / "copy.gguf").info.fingerprint == fingerprint
    changes = {"general.name": "other", "general.license": "mit", "quantize.imatrix.file": "x.dat"}
    told = write_tiny_model(tmp_path / "told.gguf", "llama", overrides=changes)
    assert open_model(told).info.fingerprint == fingerprint


@pytest.mark.parametrize("name", ["blk.2.ffn_down.weight", "token_embd.weight", "output_norm.weight"])
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_the_fingerprint_sees_a_changed_tensor(tiny: Path, name: str, part: float) -> None:
    before = open_model(tiny)
    tensor = before.tensors[name]
    data = bytearray(tiny.read_bytes())
    data[tensor.offset + int(part * (tensor.nbytes - 1))] ^= 1
    tiny.write_bytes(data)
    assert open_model(tiny).info.fingerprint != before.info.fingerprint


@pytest.mark.parametrize("key, value", [("llama.rope.freq_base", 5000.0), ("tokenizer.ggml.add_bos_token", True)])
def test_the_fingerprint_sees_changed_settings(tmp_path: Path, tiny: Path, key: str, value: object) -> None:
    other = write_tiny_model(tmp_path / "other.gguf", "llama", overrides={key: value} if "llama" in key else None)
    if "tokenizer" in key:
        entry = open_model(other).header.entries[key]
        data = bytearray(other.read_bytes())
        data[entry.start] = 1
        other.write_bytes(data)
    assert open_model(other).info.fingerprint != open_model(tiny).info.fingerprint


def test_a_split_model_is_one_model_with_the_fingerprint_of_the_whole(tmp_path: Path, tiny: Path) -> None:
    paths = split(tiny, tmp_path / "part", 3)
    whole = open_model(tiny)
    for path in paths:
        parts = open_model(path)
        assert parts.info.paths == tuple(paths)
        assert parts.info.size_bytes == sum(p.stat().st_size for p in paths)
        assert replace(parts.info, paths=(), size_bytes=0) == replace(whole.info, paths=(), size_bytes=0)
        np.testing.assert_array_equal(parts.head(IDS).rows, whole.head(IDS).rows)


def test_missing_parts_are_named(tmp_path: Path, tiny: Path) -> None:
    paths = split(tiny, tmp_path / "part", 3)
    paths[1].unlink()
    paths[2].unlink()
    with pytest.raises(ModelFileError) as caught:
        open_model(paths[0])
    names = "part-00002-of-00003.gguf, part-00003-of-00003.gguf"
    assert caught.value.message == f"{paths[0]} is part 1 of 3; missing: {names}"
    assert caught.value.hint == f"put all 3 parts into {tmp_path}"


def test_a_renamed_part_and_a_foreign_part_are_refused(tmp_path: Path, tiny: Path) -> None:
    paths = split(tiny, tmp_path / "part", 2)
    renamed = Path(shutil.copy(paths[0], tmp_path / "model.gguf"))
    with pytest.raises(ModelFileError, match="is part 1 of 2, but its name does not say so"):
        open_model(renamed)
    shutil.copy(paths[0], paths[1])
    with pytest.raises(ModelFileError, match="part-00002-of-00002.gguf is not part 2 of 2 of this model"):
        open_model(paths[0])


def test_a_truncated_part_is_found(tmp_path: Path, tiny: Path) -> None:
    paths = split(tiny, tmp_path / "part", 2)
    os.truncate(paths[1], paths[1].stat().st_size - 500)
    with pytest.raises(ModelFileError, match="part-00002-of-00002.gguf is truncated: tensor"):
        open_model(paths[0])


def test_unsupported_architectures_say_why() -> None:
    assert UNSUPPORTED["bert"] == "it is an encoder or embedding model, which predicts no next token"
    assert UNSUPPORTED["t5"] == "it is an encoder-decoder model"
    assert all(reason and reason[0].islower() and not reason.endswith(".") for reason in UNSUPPORTED.values())


def test_the_published_vocabulary_files_are_refused(sdist_folder: Path) -> None:
    files = sorted((sdist_folder / "vendor" / "llama.cpp" / "models").glob("*.gguf"))
    assert len(files) >= 10
    for path in files:
        with pytest.raises(UnsupportedModelError):
            open_model(path)


def test_a_file_is_read_again_only_where_it_changed(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(tiny_model.read_bytes())
    assert open_model(path) is not open_model(path), (
        "a file that was just written may change within one tick of the clock"
    )
    os.utime(path, (1e9, 1e9))
    found = open_model(path)
    assert open_model(path) is found and found.info.bos_text == open_model(tiny_model).info.bos_text
    os.utime(path, (1e9, 1e9 + 1))
    assert open_model(path) is not found
    path.write_bytes(b"GGUF")
    with pytest.raises(ModelFileError):
        open_model(path)
