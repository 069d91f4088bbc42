"""The error of the states for every quantized type, of unpacked products and of llama.cpp's own, against transformers. A command:

    python -m tests.measure.state_errors smollm2-bf16.gguf            # the table of patches/README.md
    python -m tests.measure.state_errors smollm2-bf16.gguf Q4_K IQ2_S --blocks 6

For each type a file is made of a model of the architecture llama or qwen2 in BF16: every matrix of a block is quantized, with all numbers
equally important, to that type or, where a row's length forbids it, to the one that llama.cpp takes then. The reference is
transformers in float32 with what ggml makes of these matrices. It needs the `parity` extra.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from lager_lite.backbones.header import Header, read_header
from lager_lite.data import load_demo
from lager_lite.judging.tokens import tokenize_prompt
from lager_lite.llama import Backbone, BackendOptions
from lager_lite.prompts import load_rubric
from lager_lite.prompts.chat import resolve_chat
from lager_lite.prompts.render import render
from tests.measure.products import TYPES, Products, dequantized
from tests.oracle.hf_reference import read_states
from tests.oracle.oracle_cases import relative_errors

KINDS = TYPES[:-3]  # No float types.
MODELS = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}
# What llama.cpp takes for rows that are no whole number of blocks of 256.
INSTEAD = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0", "TQ1_0": "Q4_0", "TQ2_0": "Q4_0"}
OTHERWISE = "IQ4_NL"
NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj"}
NAMES |= {"attn_output": "self_attn.o_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
NAMES |= {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


class Source:
    """A model in BF16: its header, and the tensors of its first blocks as float32."""

    def __init__(self, path: Path, blocks: int | None) -> None:
        self.header: Header = read_header(path)
        self.architecture = str(self.header.get("general.architecture"))
        self.blocks = min(blocks or 1000, int(self.number("block_count")))
        self.tensors = {
            t.name: dequantize(t.data, t.tensor_type)
            for t in GGUFReader(str(path)).tensors
            if not t.name.startswith("blk.") or int(t.name.split(".")[1]) < self.blocks
        }
        self.raw = {t.name: (t.data, t.tensor_type) for t in GGUFReader(str(path)).tensors if t.name in self.tensors}
        self._kept: dict[tuple[str, str], bytes] = {}

    def quantized(self, name: str, kind: str, products: Products, *, again: bool) -> bytes:
        """A tensor in a type; kept where other types take it `again`."""
        data = self._kept.get((name, kind)) or products.quantize(self.tensors[name], kind)
        if again:
            self._kept[name, kind] = data
        return data

    def number(self, key: str) -> float:
        """A number of the architecture."""
        return self.header.get(f"{self.architecture}.{key}")

    def reference(self) -> PreTrainedModel:
        """The model in transformers, in float32, with the weights of its blocks still to be set."""
        vocabulary, width = self.tensors["token_embd.weight"].shape
        settings, family = MODELS[self.architecture]
        config = settings(
            vocab_size=vocabulary,
            hidden_size=width,
            num_hidden_layers=self.blocks,
            num_attention_heads=int(self.number("attention.head_count")),
            num_key_value_heads=int(self.number("attention.head_count_kv")),
            intermediate_size=int(self.number("feed_forward_length")),
            max_position_embeddings=int(self.number("context_length")),
            rms_norm_eps=float(self.number("attention.layer_norm_rms_epsilon")),
            rope_parameters={"rope_type": "default", "rope_theta": float(self.number("rope.freq_base"))},
            tie_word_embeddings=True,
        )
        config._attn_implementation = "eager"
        model = family(config).to(torch.float32).eval()
        with torch.no_grad():
            model.model.embed_tokens.weight.copy_(torch.tensor(self.tensors["token_embd.weight"]))
            model.model.norm.weight.copy_(torch.tensor(self.tensors["output_norm.weight"]))
        return model

    def set_weights(self, model: PreTrainedModel, weights: dict[str, np.ndarray]) -> None:
        """Put the dequantized tensors of a file's blocks into the model, in transformers' order of each head's dimensions."""
        state = {}
        for name, value in weights.items():
            _, block, part, last = name.split(".")
            if part in ("attn_q", "attn_k") and self.architecture == "llama":
                heads = int(self.number("attention.head_count" + ("_kv" if part == "attn_k" else "")))
                value = value.reshape(heads, -1, 2, value.shape[-1]).swapaxes(1, 2).reshape(value.shape)
            state[f"model.layers.{block}.{NAMES[part]}.{last}"] = torch.from_numpy(np.array(value, np.float32))
        missing = model.load_state_dict(state, strict=False)
        assert not missing.unexpected_keys and not any(".layers." in key for key in missing.missing_keys)


def write_kind(source: Source, kind: str, target: Path, products: Products) -> tuple[dict[str, np.ndarray], float]:
    """Write the model with its blocks' matrices in a type; return what the blocks' tensors stand for, as float32, and the
    share of the matrices' numbers that have that type."""
    writer = GGUFWriter(str(target), source.architecture)
    for key, entry in source.header.entries.items():
        if key == f"{source.architecture}.block_count":
            writer.add_block_count(source.blocks)
        elif entry.value is None:
            writer.add_array(key, list(source.header.array(key)))
        elif key not in ("general.architecture", "general.file_type"):
            writer.add_key_value(key, entry.value, GGUFValueType(entry.item))
    weights, of_kind, all_numbers = {}, 0, 0
    for name, values in source.tensors.items():
        if not name.startswith("blk.") or values.ndim == 1:
            data, kept = source.raw[name]
            writer.add_tensor(name, data, raw_dtype=kept)
            weights |= {name: values} if name.startswith("blk.") else {}
            continue
        own = kind if values.shape[1] % GGML_QUANT_SIZES[GGMLQuantizationType[kind]][0] == 0 else None
        used = own or INSTEAD.get(kind, OTHERWISE)
        data = source.quantized(name, used, products, again=own is None)
        rows = np.frombuffer(data, np.uint8).reshape(len(values), -1)
        writer.add_tensor(name, rows, raw_dtype=GGMLQuantizationType[used])
        weights[name] = dequantized(products, used, data, values.shape)
        all_numbers += values.size
        of_kind += values.size if own else 0
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights, of_kind / all_numbers


def demo_prompts(backbone: Backbone, template: str, count: int) -> list[list[int]]:
    """The tokens of the first prompts of the demo."""
    rubric = load_rubric("faithfulness")
    chat = resolve_chat(template)
    items = load_demo().items[:count]
    return [tokenize_prompt(backbone, render(rubric, item, chat), ()).tokens.tolist() for item in items]


def show(kind: str, share: float, errors: dict[str, np.ndarray]) -> str:
    """A row of the table: median and worst of the layers for both ways."""
    cells = [f"{np.median(found):.1e}, {found.max():.1e}" for found in errors.values()]
    part = "" if share == 1 else f" ({share:.0%} of the numbers, else {INSTEAD.get(kind, OTHERWISE)})"
    worse = int((errors["fastest"] >= errors["off"]).sum())
    return f"| {kind}{part} | {' | '.join(cells)} | {worse} of {len(errors['off'])} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: see above."""
    parser = argparse.ArgumentParser(description="Compare states with transformers for every quantized type.")
    parser.add_argument("model", type=Path, metavar="BF16.gguf")
    parser.add_argument("types", nargs="*", default=KINDS)
    parser.add_argument("--blocks", type=int, help="Use only the first blocks.")
    parser.add_argument("--prompts", type=int, default=3)
    parser.add_argument("-t", "--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    source, products = Source(given.model, given.blocks), Products()
    model, wanted = source.reference(), None
    print("| type | llama.cpp: median, worst layer | unpacked | unpacked not smaller |\n| --- | --- | --- | --- |")
    for kind in given.types:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            weights, share = write_kind(source, kind, path, products)
            source.set_weights(model, weights)
            errors = {}
            for way in ("off", "fastest"):
                with Backbone(path, BackendOptions(unpack=way, threads=given.threads)) as backbone:
                    prompts = demo_prompts(backbone, str(source.header.get("tokenizer.chat_template")), given.prompts)
                    if way == "off":
                        wanted = np.stack([read_states(model, tokens)[0] for tokens in prompts])
                    found = np.stack([s.states for s in backbone.read_states(prompts)])
                errors[way] = relative_errors(found, wanted)[:, 1:].mean(axis=0)
        print(show(kind, share, errors), flush=True)


if __name__ == "__main__":
    main()
