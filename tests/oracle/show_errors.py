"""Print the error of every state against transformers' golden arrays, exact and default settings.

python -m tests.oracle.show_errors
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from lager_lite.llama.backbone import Backbone
from lager_lite.llama.options import BackendOptions
from tests.model_files.dequantize import write_float32
from tests.oracle.oracle_cases import GOLDEN, NAMES, prompts, relative_errors, smollm2_path, write_case


def worst(path: Path, options: BackendOptions, tokens: list, wanted: list[np.ndarray]) -> float:
    """The largest relative error of any state; for several references, of the nearest."""
    with Backbone(path, options) as backbone:
        found = np.stack([s.states for s in backbone.read_states(tokens)])
    return min(float(relative_errors(found, reference).max()) for reference in wanted)


def main() -> None:
    """One line per model: exact settings, default settings."""
    golden = dict(np.load(GOLDEN / "tiny.npz"))
    print(f"{'model':<18}{'--exact':>10}{'default':>10}")
    with tempfile.TemporaryDirectory() as folder:
        cases = []
        for name in NAMES:
            wanted = [golden[k] for k in (f"{name}/states", f"{name}/states_table") if k in golden]
            cases.append((name, write_case(Path(folder), name), prompts(), wanted))
        if smollm2_path() is not None:
            file = dict(np.load(GOLDEN / "smollm2.npz"))
            path = write_float32(smollm2_path(), Path(folder) / "float32.gguf")
            cases.append(("SmolLM2 (float32)", path, [file["tokens"].tolist()], [file["states"][None]]))
        for name, path, tokens, wanted in cases:
            errors = [worst(path, options, tokens, wanted) for options in (BackendOptions.exact(), BackendOptions())]
            print(f"{name:<18}{errors[0]:>10.1e}{errors[1]:>10.1e}", flush=True)


if __name__ == "__main__":
    main()
