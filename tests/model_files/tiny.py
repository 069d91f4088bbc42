"""Write tiny GGUF models with random weights, for tests that need no download.

The weights are scaled so that a residual stream is of order 1, attention is neither flat nor
saturated and logits are of order 1 to 10. The same arguments give the same bytes.

    python -m tests.model_files.tiny llama tiny-llama.gguf
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, quants
from gguf.constants import GGMLQuantizationType, GGUFValueType, LlamaFileType

from lager_lite.backbones.header import read_header

from .families import FAMILIES, Family, Sizes, TensorSpec

N_HEAD, N_FF, CONTEXT = 4, 128, 4096
EPSILON = 1e-5
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("o r", "S c", "Sc or", "Scor e", "Ġ t", "Ġt h", "Ġth e")
_NORMAL, _CONTROL = 1, 3
ROPE_SCALINGS = ("linear", "yarn", "llama3", "longrope")


def write_tiny_model(
    path: str | Path,
    architecture: str,
    *,
    vocab_from: str | Path | None = None,
    seed: int = 0,
    n_blocks: int | None = None,
    n_embd: int = 64,
    heads: tuple[int, int, int] | None = None,
    rope_scaling: str | None = None,
    tied: bool | None = None,
    ftype: str = "F32",
    overrides: dict[str, object] | None = None,
) -> Path:
    """Write a tiny model of a family (a key of FAMILIES) and return its path.

    vocab_from: a GGUF file whose tokenizer is copied, None for a built-in byte-level BPE of 266
    tokens; heads: query heads, key-value heads and dimensions of a head, None for the family's;
    rope_scaling: one of ROPE_SCALINGS; tied: whether the head shares the embeddings (None:
    as the family usually does); ftype: type of the matrices ("F32", "F16", "BF16", "Q8_0", "Q4_0",
    ...); overrides: further metadata, full keys, a value of None drops the key.
    """
    family = FAMILIES[architecture]
    writer = GGUFWriter(str(path), family.architecture)
    n_vocab = copy_vocabulary(writer, vocab_from) if vocab_from else _byte_vocabulary(writer)
    n_head, n_kv, head_dim = heads or (N_HEAD, family.n_kv, family.head_dim or n_embd // N_HEAD)
    sizes = Sizes(n_embd, n_vocab, n_head, n_kv, head_dim, N_FF)
    n_blocks = family.n_blocks if n_blocks is None else n_blocks
    settings = _settings(family, sizes, n_blocks)
    settings |= _rope_settings(family.architecture, rope_scaling)
    if heads:
        settings |= {f"{family.architecture}.attention.{name}_length": head_dim for name in ("key", "value")}
    settings |= {"general.file_type": int(_file_type(ftype)), "general.name": "random weights"}
    settings |= overrides or {}
    for key, value in settings.items():
        if value is not None:
            writer.add_key_value(key, value, _value_type(value))
    shared = family.tied if tied is None else tied
    for name, shape, kind in _tensors(family, sizes, n_blocks, shared):
        _add_tensor(writer, name, _values(name, shape, kind, seed), kind, ftype)
    for name, values in _rope_tensors(rope_scaling, int(head_dim * family.rotary)):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Path(path)


def _settings(family: Family, s: Sizes, n_blocks: int) -> dict[str, object]:
    rotary = int(s.head_dim * family.rotary)
    epsilon = "layer_norm_rms_epsilon" if family.rms else "layer_norm_epsilon"
    common = {
        "context_length": CONTEXT,
        "embedding_length": s.n_embd,
        "block_count": n_blocks,
        "feed_forward_length": s.n_ff,
        "attention.head_count": s.n_head,
        "attention.head_count_kv": s.n_kv,
        f"attention.{epsilon}": EPSILON,
        "rope.dimension_count": rotary,
        "rope.freq_base": 10000.0,
    }
    return {f"{family.architecture}.{key}": value for key, value in {**common, **family.settings}.items()}


def _rope_settings(architecture: str, scaling: str | None) -> dict[str, object]:
    if scaling is None or scaling == "llama3":
        return {}
    if scaling not in ROPE_SCALINGS:
        raise ValueError(f"rope_scaling must be one of {ROPE_SCALINGS}, got {scaling!r}")
    prefix = f"{architecture}.rope.scaling"
    if scaling == "longrope":
        return {f"{prefix}.attn_factor": 2**0.5, f"{prefix}.original_context_length": 64}
    return {f"{prefix}.type": scaling, f"{prefix}.factor": 4.0, f"{prefix}.original_context_length": CONTEXT // 4}


def _rope_tensors(scaling: str | None, rotary: int) -> Iterator[tuple[str, np.ndarray]]:
    steps = np.arange(rotary // 2, dtype=np.float32)
    if scaling == "llama3":
        yield "rope_freqs.weight", llama3_factors(rotary)
    elif scaling == "longrope":
        yield "rope_factors_long.weight", 1 + steps
        yield "rope_factors_short.weight", 1 + steps / 8


def llama3_factors(rotary: int, base: float = 10000.0) -> np.ndarray:
    """The divisors of Llama 3.1's RoPE frequencies, float32 (rotary // 2,).

    Factor 8, low and high frequency factors 1 and 4, original context 64 (small, so that a short
    test prompt shows the effect).
    """
    wavelength = 2 * np.pi * base ** (np.arange(0, rotary, 2) / rotary)
    smooth = np.clip((64 / wavelength - 1) / (4 - 1), 0, 1)
    return (1 / ((1 - smooth) / 8 + smooth)).astype(np.float32)


def _tensors(family: Family, s: Sizes, n_blocks: int, tied: bool) -> Iterator[TensorSpec]:
    yield "token_embd.weight", (s.n_vocab, s.n_embd), "rows"
    yield from family.extra(s)
    for i in range(n_blocks):
        for name, shape, kind in family.block(s):
            yield f"blk.{i}.{name}", shape, kind
    if family.norm:
        yield "output_norm.weight", (s.n_embd,), "gain"
    if family.norm_bias:
        yield "output_norm.bias", (s.n_embd,), "bias"
    if not tied:
        yield "output.weight", (s.n_vocab, s.n_embd), "rows"
    if family.output_bias:
        yield "output.bias", (s.n_vocab,), "bias"


def _values(name: str, shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
    # One generator per tensor: adding a tensor must not change the others.
    noise = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape)
    if kind == "gain":
        noise = 1 + 0.1 * noise
    elif kind == "bias":
        noise = 0.1 * noise
    elif kind == "rows":
        noise = 3 / np.sqrt(shape[-1]) * noise
    elif kind == "ssm_a":
        noise = -np.broadcast_to(np.arange(1, shape[1] + 1), shape) * np.exp(0.1 * noise)
    elif kind == "ssm_dt":
        noise = noise - 3
    else:
        noise = noise / np.sqrt(shape[-1])
    return noise.astype(np.float32)


def _add_tensor(writer: GGUFWriter, name: str, values: np.ndarray, kind: str, ftype: str) -> None:
    wanted = GGMLQuantizationType[ftype]
    if kind not in ("matrix", "rows") or wanted == GGMLQuantizationType.F32 or "conv1d" in name or "ssm_dt" in name:
        writer.add_tensor(name, values)
    else:
        writer.add_tensor(name, quants.quantize(values, wanted), raw_dtype=wanted)


def _file_type(ftype: str) -> LlamaFileType:
    return LlamaFileType.ALL_F32 if ftype == "F32" else LlamaFileType[f"MOSTLY_{ftype}"]


def _value_type(value: object) -> GGUFValueType:
    if isinstance(value, bool):
        return GGUFValueType.BOOL
    return GGUFValueType.UINT32 if isinstance(value, int) else GGUFValueType.get_type(value)


def byte_vocabulary() -> tuple[list[str], list[int]]:
    """Tokens of the built-in vocabulary and their types: 256 bytes, a few merges, control tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in printable]
    names = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(hidden)}
    tokens = [names[b] for b in range(256)] + [m.replace(" ", "") for m in MERGES]
    return [*tokens, *CONTROL_TOKENS], [_NORMAL] * len(tokens) + [_CONTROL] * len(CONTROL_TOKENS)


def _byte_vocabulary(writer: GGUFWriter) -> int:
    tokens, types = byte_vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    return len(tokens)


def copy_vocabulary(writer: GGUFWriter, source: str | Path) -> int:
    """Copy the tokenizer and the chat template of a GGUF file; returns the number of tokens."""
    header = read_header(source)
    for key, entry in header.entries.items():
        if not key.startswith("tokenizer."):
            continue
        if entry.value is None:
            writer.add_array(key, list(header.array(key)))
        else:
            writer.add_key_value(key, entry.value, GGUFValueType(entry.item))
    return header.entries["tokenizer.ggml.tokens"].count


def main() -> None:
    """Command line: `python -m tests.model_files.tiny ARCH OUT.gguf`."""
    parser = argparse.ArgumentParser(description="Write a tiny GGUF model with random weights.")
    parser.add_argument("architecture", choices=sorted(FAMILIES))
    parser.add_argument("out", metavar="OUT.gguf")
    parser.add_argument("--vocab-from", metavar="FILE", help="copy the tokenizer of this GGUF file")
    parser.add_argument("--rope-scaling", choices=ROPE_SCALINGS)
    parser.add_argument("--ftype", default="F32", help="type of the matrices, default %(default)s")
    parser.add_argument("-s", "--seed", type=int, default=0)
    args = parser.parse_args()
    path = write_tiny_model(
        args.out,
        args.architecture,
        vocab_from=args.vocab_from,
        rope_scaling=args.rope_scaling,
        ftype=args.ftype,
        seed=args.seed,
    )
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
