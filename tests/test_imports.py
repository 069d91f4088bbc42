"""Imports point one way: a module imports only modules that stand above it in ORDER."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lager_lite"
ORDER = (
    "errors interrupts offline folders files records injection scale aggregate calibration objective solving fitting presets validation metrics "
    "rubric skeleton sandbox chat prompt schedule architectures preflight gguf_tensors gguf_file readout "
    "llama.library llama.options llama.tap llama.native llama.context llama.generate llama.rpc llama.about llama.runtime llama.quantize llama.patching llama.build "
    "tokens store weights pruning shipped catalog caches locate inventory guard reasoning judgments headcheck judge labelled runs evaluation comparison budget "
    "tuning rows cells benchmarks datasets streams rowfile states jobs fitjob sharding selection ranking knowledge inspection bench drift workload peers "
    "figures report pages scaleout config cli"
).split()
LAZY = ("cli", "peers", "report", "scaleout", "benchmarks", "datasets")


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "cli" if parts[0] == "cli" else ".".join(p for p in parts if p != "__init__")


def ours(node: ast.AST, path: Path) -> list[str]:
    """The modules of ours that an import statement names."""
    if not isinstance(node, ast.ImportFrom) or not node.level:
        return []
    folder = path.parent
    for _ in range(node.level - 1):
        folder = folder.parent
    base = (node.module or "").split(".") if node.module else []
    target = folder.joinpath(*base)
    found = []
    for alias in node.names:
        inner = target / alias.name
        is_module = inner.with_suffix(".py").exists() or inner.is_dir()
        file = inner if is_module else target
        if file != PACKAGE:
            found.append(name_of(file.with_suffix(".py")))
    return found


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])
def test_a_module_imports_only_what_stands_above_it(path):
    me = name_of(path)
    if me in ("llama", "rubrics", "__main__"):
        return
    assert me in ORDER, f"{me} has no place in ORDER"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {n for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) for n in ast.walk(f)}
    for node in ast.walk(tree):
        for target in ours(node, path):
            if me == "cli" and target == "cli":
                continue
            assert ORDER.index(target) < ORDER.index(me), f"{me} imports {target}, which stands below it"
            assert node not in inside or me in LAZY, f"{me} imports {target} inside a function"


def test_ctypes_is_touched_in_llama_only():
    touching = {name_of(p) for p in FILES if "import ctypes" in p.read_text(encoding="utf-8")}
    assert touching <= {n for n in ORDER if n.startswith("llama.")}


@pytest.mark.parametrize("code", ["import lager_lite", "import lager_lite.cli"])
def test_importing_loads_no_library(code):
    heavy = "numpy scipy llama_cpp matplotlib torch ray pyarrow gguf".split()
    probe = f"{code}, sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
