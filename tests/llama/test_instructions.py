"""The processor's instructions that a library uses, as they stand in keys."""

from __future__ import annotations

import platform

from lager_lite.llama import BackendOptions, instructions, load
from lager_lite.llama.guard import check_loads, known_company
from lager_lite.llama.instructions import features

AVX2 = "CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | BMI2 = 1 | LLAMAFILE = 1 | OPENMP = 1 | "
ARM = "CUDA : ARCHS = 900 | USE_GRAPHS = 1 | CPU : NEON = 1 | SVE = 1 | SVE_CNT = 16 | DOTPROD = 0 | REPACK = 1 | "


def test_only_what_the_cpu_computes_with_is_a_feature():
    assert features(ARM) == {"NEON": "1", "SVE": "1", "SVE_CNT": "16", "REPACK": "1"}
    assert features("") == features("CUDA : ARCHS = 900 | ") == {}


def test_instructions_are_named_without_what_they_imply_and_what_changes_no_number(monkeypatch):
    library, machine = load(), platform.machine()
    for system_info, named in (
        (AVX2, "AVX2, F16C, FMA, LLAMAFILE"),
        (
            AVX2.replace("AVX2 = 1", "AVX512_BF16 = 1 | AVX512 = 1 | AVX2 = 1"),
            "AVX512, AVX512_BF16, F16C, FMA, LLAMAFILE",
        ),
        ("CPU : SSE3 = 1 | SSSE3 = 1 | OPENMP = 1 | ", "SSE3, SSSE3"),
        (ARM, "NEON, REPACK, SVE, SVE_CNT 16"),
        ("CPU : OPENMP = 1 | ", "none"),
    ):
        monkeypatch.setattr(type(library), "system_info", lambda self, text=system_info: text)
        assert instructions(library) == f"{machine}: {named}"


def test_the_guard_tries_a_file_again_where_the_library_uses_other_instructions(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = BackendOptions(threads=1)
    assert check_loads(tiny_model, options) and known_company(tiny_model, options) is not None
    monkeypatch.setattr(type(load()), "system_info", lambda self: AVX2.replace("AVX2 = 1 | ", ""))
    assert known_company(tiny_model, options) is None
