"""Llamas of real sizes with random weights: for measuring speed where no model can be downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from gguf.constants import GGMLQuantizationType, LlamaFileType

from tests.model_files.tiny import CHAT_TEMPLATE, MERGES, byte_vocabulary, copy_vocabulary

_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])


@dataclass(frozen=True)
class Shape:
    """The sizes of a llama: width, blocks, feed-forward width, heads, heads of keys and values."""

    n_embd: int
    n_blocks: int
    n_ff: int
    n_head: int
    n_kv: int

    @property
    def parameters(self) -> int:
        """Weights in the blocks."""
        head = self.n_embd // self.n_head
        attention = 2 * self.n_embd * self.n_embd + 2 * self.n_embd * self.n_kv * head
        return self.n_blocks * (attention + 3 * self.n_embd * self.n_ff)

    @property
    def file_bytes(self) -> int:
        """About what the file takes."""
        return self.parameters * _BLOCK.itemsize // 32


SHAPES = {
    "dry": Shape(256, 2, 512, 4, 2),
    "SmolLM2": Shape(576, 30, 1536, 9, 3),
    "1B": Shape(2048, 16, 8192, 32, 8),
    "1.5B": Shape(1536, 28, 8960, 12, 2),
    "3B": Shape(3072, 28, 8192, 24, 8),
    "8B": Shape(4096, 32, 14336, 32, 8),
    "14B": Shape(5120, 48, 13824, 40, 8),
    "32B": Shape(5120, 64, 27648, 40, 8),
    "70B": Shape(8192, 80, 28672, 64, 8),
}


def write_synthetic(
    path: Path, shape: Shape, *, kind: str = "Q4_0", vocab_from: Path | None = None, seed: int = 0
) -> Path:
    """Write a llama of this shape and return its path.

    kind: of the matrices, "Q4_0" or "BF16". vocab_from: a GGUF file whose tokenizer and chat template are copied;
    None for a vocabulary of 266 bytes and words.
    """
    rng = np.random.default_rng(seed)
    writer = GGUFWriter(str(path), "llama", use_temp_file=False)
    _settings(writer, shape, kind)
    tokens = _vocabulary(writer, vocab_from)
    head = shape.n_embd // shape.n_head
    wide, narrow = (shape.n_embd, shape.n_embd), (shape.n_kv * head, shape.n_embd)
    matrices = {
        "attn_q": wide,
        "attn_k": narrow,
        "attn_v": narrow,
        "attn_output": wide,
        "ffn_gate": (shape.n_ff, shape.n_embd),
        "ffn_up": (shape.n_ff, shape.n_embd),
        "ffn_down": (shape.n_embd, shape.n_ff),
    }
    # Blocks share their weights: only their number and their bytes matter, and disk is written anyway.
    make = _nibbles if kind == "Q4_0" else _brains
    blocks = {name: make(rng, rows, columns) for name, (rows, columns) in matrices.items()}
    gain = np.ones(shape.n_embd, np.float32)
    _add(writer, "token_embd.weight", _brains(rng, tokens, shape.n_embd), "BF16")
    writer.add_tensor("output_norm.weight", gain)
    for i in range(shape.n_blocks):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{i}.{name}.weight", gain)
        for name, values in blocks.items():
            _add(writer, f"blk.{i}.{name}.weight", values, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: GGUFWriter, name: str, values: np.ndarray, kind: str) -> None:
    writer.add_tensor(name, values, raw_dtype=GGMLQuantizationType[kind])


def _nibbles(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Random Q4_0 blocks as bytes, uint8 (rows, bytes per row); the values have variance 1/columns."""
    found = np.empty(rows * columns // 32, dtype=_BLOCK)
    found["scale"] = 1 / (4.6 * columns**0.5)  # a nibble minus 8 has standard deviation 4.6
    found["nibbles"] = rng.integers(0, 256, (len(found), 16), dtype=np.uint8)
    return found.view(np.uint8).reshape(rows, -1)


def _brains(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Random BF16 numbers as bytes, uint8 (rows, 2 * columns), of variance 1/columns."""
    values = rng.standard_normal((rows, columns), dtype=np.float32)
    values /= columns**0.5
    return np.ascontiguousarray(values.view(np.uint16)[:, 1::2]).view(np.uint8)


def _vocabulary(writer: GGUFWriter, source: Path | None) -> int:
    if source is not None:
        return copy_vocabulary(writer, source)
    tokens, types = byte_vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(MERGES)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    return len(tokens)


def _settings(writer: GGUFWriter, shape: Shape, kind: str) -> None:
    writer.add_name("random weights")
    writer.add_file_type(int(LlamaFileType[f"MOSTLY_{kind}"]))
    writer.add_context_length(8192)
    writer.add_embedding_length(shape.n_embd)
    writer.add_block_count(shape.n_blocks)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_kv)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.n_embd // shape.n_head)
    writer.add_rope_freq_base(10000.0)
