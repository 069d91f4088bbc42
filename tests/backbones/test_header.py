"""Damaged and unsuitable files: one clear message each, before llama.cpp sees them."""

from __future__ import annotations

import os
import random
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from lager_lite.backbones.header import read_header
from lager_lite.backbones.model_file import open_model
from lager_lite.errors import LagerError, ModelFileError, UnsupportedModelError
from tests.model_files.mutants import U32, packed, take_apart
from tests.model_files.tiny import write_tiny_model

START = b"GGUF" + struct.pack("<I", 3)


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny_model(tmp_path_factory.mktemp("intact") / "m.gguf", "llama", n_blocks=1).read_bytes()


def refusal(path: Path, kind: type[LagerError] = ModelFileError) -> LagerError:
    with pytest.raises(LagerError) as caught:
        open_model(path)
    assert type(caught.value) is kind
    assert caught.value.hint
    return caught.value


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def test_a_missing_file_a_directory_and_an_empty_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.gguf").message == f"there is no model file {tmp_path / 'no.gguf'}"
    error = refusal(tmp_path)
    assert error.message == f"{tmp_path} is a directory, not a GGUF file"
    assert error.hint == "name the .gguf file inside it"
    (tmp_path / "empty.gguf").touch()
    assert refusal(tmp_path / "empty.gguf").message == f"{tmp_path / 'empty.gguf'} is empty"


def test_a_path_below_a_file_and_one_with_a_zero_byte_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert refusal(tmp_path / "file" / "m.gguf").message.startswith(f"cannot read {tmp_path / 'file' / 'm.gguf'}: ")
    with pytest.raises(ModelFileError):
        open_model("a\0b.gguf")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(intact)
    path.chmod(0)
    assert refusal(path).message == f"cannot read {path}: Permission denied"


@pytest.mark.parametrize(
    "content, message",
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "is not a GGUF file but a Git LFS pointer"),
        (b"<!doctype html><html></html>", "is not a GGUF file but a web page"),
        (b"PK\x03\x04rest of an archive", "is not a GGUF file but a zip archive or PyTorch checkpoint"),
        (b"tjgg\x03\x00\x00\x00", "is not a GGUF file but an old GGML file"),
        (b"hello world", "is not a GGUF file: it starts with b'hell', not b'GGUF'"),
        (b"GG", "is not a GGUF file: it starts with b'GG', not b'GGUF'"),
        (b"GGUF" + struct.pack("<I", 1), "is GGUF version 1; versions 2 and 3 can be read"),
        (b"GGUF" + struct.pack("<I", 4), "is GGUF version 4; versions 2 and 3 can be read"),
        (b"GGUF" + struct.pack("<I", 0), "is GGUF version 0; versions 2 and 3 can be read"),
        (b"GGUF" + struct.pack(">I", 3), "is a big-endian GGUF file"),
    ],
)
def test_other_formats_and_versions_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    assert refusal(path).message == f"{path} {message}"


@pytest.mark.parametrize(
    "content, what",
    [
        (START + struct.pack("<QQ", 2**60, 0), "the number of tensors is 1,152,921,504,606,846,976"),
        (START + struct.pack("<QQ", 0, 2**60), "the number of metadata entries is 1,152,921,504,606,846,976"),
        (START + struct.pack("<QQQ", 0, 1, 2**62) + b"general.name", "a metadata key runs past the end"),
        (
            START + struct.pack("<QQ", 0, 1) + text("a.list") + struct.pack("<IIQ", 9, 8, 2**61) + b"y" * 64,
            "the number of items in a.list is 2,305,843,009,213,693,952",
        ),
        (
            START + struct.pack("<QQ", 0, 1) + text("a.list") + struct.pack("<IIQQ", 9, 8, 1, 2**61) + b"y" * 64,
            "a string of a.list runs past the end",
        ),
        (START + struct.pack("<QQ", 0, 1) + text("a.key") + struct.pack("<IQ", 77, 0), "a.key has the unknown type 77"),
        (START + struct.pack("<QQ", 0, 1) + text("a.key") + struct.pack("<IIQ", 9, 9, 1), "unknown type 9"),
        (START + struct.pack("<QQ", 0, 1) + text("") + struct.pack("<IQ", 4, 1), "metadata key '' is empty"),
        (START + struct.pack("<QQ", 0, 2) + 2 * (text("a.key") + struct.pack("<II", 4, 1)), "appears twice"),
        (
            START + struct.pack("<QQ", 0, 1) + text("general.alignment") + struct.pack("<II", 4, 24),
            "general.alignment is 24, not a power of two",
        ),
    ],
)
def test_absurd_lengths_are_refused_without_allocating(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    error = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert what in error.message
    assert error.message.startswith(f"{path} is damaged or truncated: ")
    assert peak < 2**20


def test_every_truncation_is_refused(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(intact)
    last = read_header(path).tensors[-1]
    cuts = [*range(4, 200), *range(200, len(intact), 4999), last.offset + last.nbytes - 1]
    told = []
    for cut in cuts:
        path.write_bytes(intact[:cut])
        told.append(refusal(path).message)
    assert len(told) == len(cuts) > 200
    assert [m for m in told if not m.startswith((f"{path} is damaged or truncated: ", f"{path} is truncated: "))] == []
    assert (
        told[-1]
        == f"{path} is truncated: tensor {last.name} ends at byte {len(intact):,}, the file has {len(intact) - 1:,}"
    )


def test_a_file_cut_in_its_data_says_where(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(intact[:-1_000])
    assert refusal(path).message == (
        f"{path} is truncated: tensor output.weight ends at byte {len(intact):,}, the file has {len(intact) - 1_000:,}"
    )


def test_flipped_header_bytes_never_escape_as_another_error(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(intact)
    data_start = read_header(path).tensors[0].offset
    chance = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(intact)
        damaged[chance.randrange(data_start)] = chance.choice((0, 1, 127, 128, 255))
        path.write_bytes(damaged)
        try:
            open_model(path).head([1])
        except LagerError:
            refused += 1
    assert refused > 50


def find_tensor_info(data: bytes, name: str) -> int:
    """Offset of a tensor's n_dims, which follows its name in the header."""
    return data.index(text(name)) + 8 + len(name)


@pytest.mark.parametrize(
    "field, code, value, what",
    [
        (0, "<I", 9, "tensor output_norm.weight has 9 dimensions"),
        (4, "<Q", 2**63, "is truncated: tensor output_norm.weight ends at byte"),
        (12, "<I", 31, "tensor output_norm.weight has the type number 31"),
        (12, "<I", 12, "tensor output_norm.weight of shape (64,) does not divide into blocks of 256"),
        (16, "<Q", 1, "is damaged: tensor output_norm.weight lies at offset 1, expected"),
        (16, "<Q", 2**62, "is damaged: tensor output_norm.weight lies at offset"),
    ],
)
def test_damaged_tensor_entries_are_refused(
    tmp_path: Path, intact: bytes, field: int, code: str, value: int, what: str
) -> None:
    damaged = bytearray(intact)
    struct.pack_into(code, damaged, find_tensor_info(intact, "output_norm.weight") + field, value)
    path = tmp_path / "m.gguf"
    path.write_bytes(damaged)
    assert what in refusal(path).message


def test_a_tensor_that_appears_twice_is_refused(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(intact.replace(text("blk.0.attn_q.weight"), text("blk.0.attn_k.weight")))
    assert "tensor blk.0.attn_k.weight appears twice" in refusal(path).message


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"llama.block_count": 0}, "is damaged: it has 0 blocks, 0 of them for multi-token prediction"),
        ({"llama.block_count": 5000}, "is damaged: it has 5000 blocks, 0 of them for multi-token prediction"),
        ({"llama.block_count": "three"}, "has no usable llama.block_count (found 'three')"),
        ({"llama.block_count": None}, "has no usable llama.block_count (found None)"),
        (
            {"llama.embedding_length": 128, "llama.rope.dimension_count": 32},
            "token_embd.weight of shape (64, 266), expected (128, 266)",
        ),
        ({"llama.expert_count": 4, "llama.expert_used_count": 5}, "4 experts in 0 groups, 5 of them used"),
        ({"llama.rope.scaling.type": "cubic"}, "is damaged: it has the RoPE scaling 'cubic'"),
        ({"llama.rope.dimension_count": 24}, "heads of 16 and 16 numbers, of which RoPE turns 24"),
        ({"llama.attention.head_count_kv": 3}, "4 attention heads that share 3 key heads"),
        ({"llama.attention.layer_norm_rms_epsilon": -1.0}, "the layer_norm_rms_epsilon -1.0"),
        ({"llama.attention.layer_norm_rms_epsilon": None}, "has no epsilon for its output norm"),
        ({"llama.attention.sliding_window": 2**31}, "a sliding window of 2147483648 tokens"),
    ],
)
def test_sizes_on_which_llama_cpp_would_abort_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", "llama", n_blocks=1, overrides=changes)
    with pytest.raises(ModelFileError) as caught:
        open_model(path).head([1])
    assert message in caught.value.message


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"general.type": "adapter"}, "is a LoRA adapter, not a whole model"),
        ({"general.type": "mmproj"}, "is the image or audio part of a multimodal model"),
        ({"general.type": "imatrix"}, "holds 'imatrix', not a model"),
        ({"llama.pooling_type": 1}, "(llama) cannot judge: it was made for embeddings (the file sets pooling_type)"),
        (
            {"llama.attention.causal": False},
            "(llama) cannot judge: its attention is not causal, so it predicts no next token",
        ),
    ],
)
def test_files_of_another_purpose_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", "llama", n_blocks=1, overrides=changes)
    assert refusal(path, UnsupportedModelError).message == f"{path} {message}"


@pytest.mark.parametrize(
    "architecture, reason",
    [
        ("bert", "it is an encoder or embedding model, which predicts no next token"),
        ("nomic-bert-moe", "it is an encoder or embedding model, which predicts no next token"),
        ("gemma-embedding", "it is an encoder or embedding model, which predicts no next token"),
        ("t5", "it is an encoder-decoder model"),
        ("clip", "it is the image or audio part of a multimodal model"),
        ("dream", "it is a diffusion model, which has no next-token position"),
        ("gemma3n", "its residual stream is several vectors wide, so a block has no single hidden state"),
        ("plamo2", "llama.cpp does not name its block outputs"),
    ],
)
def test_architectures_that_cannot_judge_are_refused_with_the_reason(
    tmp_path: Path, intact: bytes, architecture: str, reason: str
) -> None:
    path = tmp_path / "m.gguf"
    head, tail = intact.split(text("general.architecture") + struct.pack("<I", 8) + text("llama"), 1)
    data = head + text("general.architecture") + struct.pack("<I", 8) + text(architecture) + tail
    # The header grew by the longer name, so the data that follows must stay aligned.
    path.write_bytes(data + bytes(32))
    assert refusal(path, UnsupportedModelError).message == f"{path} ({architecture}) cannot judge: {reason}"


def test_a_model_without_tokenizer_is_refused(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(intact.replace(b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenz"))
    assert refusal(path, UnsupportedModelError).message == f"{path} has no tokenizer"


@pytest.mark.parametrize(
    "name, message",
    [
        ("token_embd.weight", "has no token embeddings (token_embd.weight)"),
        ("output_norm.weight", "has no output norm (output_norm.weight)"),
    ],
)
def test_a_model_without_embeddings_or_output_norm_is_refused(tmp_path: Path, name: str, message: str) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", "llama", n_blocks=1, tied=True)
    path.write_bytes(path.read_bytes().replace(name.encode(), name.upper().encode()))
    assert refusal(path).message == f"{path} {message}"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tokenizer.chat_template", 5, "is damaged: it has the tokenizer.chat_template 5"),
        ("tokenizer.ggml.add_bos_token", 2, "is damaged: it has the tokenizer.ggml.add_bos_token 2"),
        ("tokenizer.ggml.model", 7, "is damaged: it has the tokenizer.ggml.model 7"),
    ],
)
def test_tokenizer_settings_of_another_type_are_refused(
    tmp_path: Path, intact: bytes, key: str, value: int, message: str
) -> None:
    (tmp_path / "intact.gguf").write_bytes(intact)
    parts = take_apart(tmp_path / "intact.gguf")
    entries = [(k, U32, struct.pack("<I", value)) if k == key else (k, c, v) for k, c, v in parts.entries]
    path = tmp_path / "m.gguf"
    path.write_bytes(replace(parts, entries=tuple(entries)).bytes())
    assert refusal(path).message == f"{path} {message}"


@pytest.mark.parametrize(
    ("name", "shape", "kind", "message"),
    [
        ("output_norm.weight", (), 0, "output_norm.weight of shape (), expected (64,)"),
        ("output.weight", (64,), 0, "output.weight of shape (64,), expected (64, 266)"),
        ("output_norm.weight", (64,), 30, "output_norm.weight as BF16, with which llama.cpp cannot compute"),
        ("blk.0.attn_k.weight", (64, 32), 26, "blk.0.attn_k.weight as I32, with which llama.cpp cannot compute"),
        ("blk.0.ffn_up.weight", (64, 128), 28, "blk.0.ffn_up.weight as F64, with which llama.cpp cannot compute"),
    ],
)
def test_tensors_of_a_shape_or_kind_that_kills_llama_cpp_are_refused(
    tmp_path: Path, intact: bytes, name: str, shape: tuple[int, ...], kind: int, message: str
) -> None:
    (tmp_path / "intact.gguf").write_bytes(intact)
    parts = take_apart(tmp_path / "intact.gguf")
    tensors = [(n, shape, kind, o) if n == name else (n, s, k, o) for n, s, k, o in parts.tensors]
    path = tmp_path / "m.gguf"
    path.write_bytes(packed(parts, tensors).bytes())
    assert refusal(path).message == f"{path} is damaged: it has {message}"


def test_a_token_that_stands_twice_in_the_vocabulary_is_refused(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(intact.replace(text("a"), text("b"), 1))
    assert refusal(path).message == f"{path} is damaged: it has the token 'b' twice in its vocabulary"


def test_an_alignment_at_which_llama_cpp_aborts_is_refused(tmp_path: Path, intact: bytes) -> None:
    (tmp_path / "intact.gguf").write_bytes(intact)
    parts = take_apart(tmp_path / "intact.gguf")
    path = tmp_path / "m.gguf"
    refused = 0
    for filler in ("x" * n for n in range(0, 32, 8)):
        entries = (*parts.entries, ("general.alignment", U32, struct.pack("<I", 8)), ("x.filler", 8, text(filler)))
        path.write_bytes(replace(parts, entries=entries).bytes())
        try:
            open_model(path)
        except ModelFileError as error:
            refused += "general.alignment of 8 puts the tensors at byte" in error.message
    assert refused == 3, "one length of four ends the header at a multiple of 32"


def test_a_vocabulary_without_weights_is_refused(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "m.gguf"
    start = intact.index(text("token_embd.weight"))
    path.write_bytes(intact[:8] + struct.pack("<Q", 0) + intact[16:start])
    assert refusal(path, UnsupportedModelError).message == f"{path} holds a vocabulary only, no weights"
