"""On an NVIDIA GPU a quantized file is read as a copy with unpacked weights, which counts as the file."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.backbones import open_model
from lager_lite.data import load_demo
from lager_lite.errors import BackendError, LagerWarning
from lager_lite.llama import Backbone, BackendOptions, copies, requantize
from lager_lite.llama.copies import WOULD_UNPACK, copy_kind, has_room
from lager_lite.llama.library import Device, load
from lager_lite.performance import tune
from lager_lite.performance.pruning import prune
from lager_lite.prompts import load_rubric

PROMPT = list(range(3, 40))


@pytest.fixture
def quantized(tmp_path, monkeypatch, tiny_model):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return requantize(tiny_model, tmp_path / "q.gguf", "Q8_0")


@pytest.fixture
def gpu(monkeypatch):
    """Makes the CPU pass for a CUDA device with this much room."""

    def give(free: int = 2**40, name: str = "CUDA0"):
        library = load()
        monkeypatch.setattr(library.api, "llama_supports_gpu_offload", lambda: True)
        cpu = Device("CPU", "a CPU", "CPU", 2**40, 2**40)
        monkeypatch.setattr(library, "devices", lambda: [Device(name, "a GPU", "GPU", free, 2**40), cpu])
        return library

    return give


def states(path, **options) -> tuple[np.ndarray, Backbone]:
    with Backbone(path, BackendOptions(threads=1, **options)) as backbone:
        return backbone.read_states([PROMPT])[0].states, backbone


def test_a_gpu_reads_the_weights_of_a_copy_under_the_name_of_the_file(quantized, gpu, tmp_path) -> None:
    gpu()
    floats = {kind: states(requantize(quantized, tmp_path / f"{kind}.gguf", kind))[0] for kind in ("BF16", "F32")}
    as_it_is = states(quantized, unpack="off")[0]
    for unpack, kind in (("auto", "BF16"), ("fastest", "BF16"), ("f32", "F32")):
        found, backbone = states(quantized, unpack=unpack)
        np.testing.assert_array_equal(found, floats[kind])
        assert backbone.path == quantized and backbone.numerics.endswith(f"products of a copy in {kind}")
        assert np.abs(found - as_it_is).max() > 0
    found, backbone = states(quantized, unpack="off")
    np.testing.assert_array_equal(found, as_it_is)
    assert backbone.numerics.endswith("products the GPU's")
    copied = sorted(file.name for file in (tmp_path / "cache" / "lager-lite" / "unpacked").iterdir())
    info = open_model(quantized).info
    name = f"{info.fingerprint.removeprefix('sha256:')[:32]}-{info.n_blocks}"
    assert copied == [f"{name}.BF16.gguf", f"{name}.F32.gguf"], "one of each, and nothing else"


def test_a_damaged_copy_is_made_again(quantized, gpu, tmp_path) -> None:
    gpu()
    whole = states(quantized)[0]
    (copy,) = (tmp_path / "cache" / "lager-lite" / "unpacked").iterdir()
    copy.write_bytes(copy.read_bytes()[:-100])
    np.testing.assert_array_equal(states(quantized)[0], whole)


def test_a_pruned_file_has_a_copy_of_its_own(quantized, gpu, tmp_path) -> None:
    """Its fingerprint is that of the whole model."""
    gpu()
    whole, backbone = states(quantized)
    prune(quantized, tmp_path / "short.gguf", 1)
    with Backbone(tmp_path / "short.gguf", BackendOptions(threads=1)) as short:
        assert short.copied == "BF16" and short.n_blocks < backbone.n_blocks
        np.testing.assert_array_equal(short.read_states([PROMPT], max_state=1)[0].states, whole[:2])


def test_only_a_gpu_with_room_for_the_whole_model_reads_copies(quantized, gpu, tiny_model, monkeypatch) -> None:
    need, auto = int(2.4 * open_model(quantized).parameters) + 1, BackendOptions()
    library = gpu(need)
    assert has_room(library, quantized, -1) and not has_room(library, quantized, -1, "F32")
    assert copy_kind(library, auto, quantized, -1) == "BF16"
    assert copy_kind(library, auto, quantized, 2) == copy_kind(library, auto, quantized, 0) == ""
    assert copy_kind(library, auto, tiny_model, -1) == "", "its weights are floats already"
    assert copy_kind(gpu(need - 2), auto, quantized, -1) == ""
    assert copy_kind(gpu(name="Metal"), auto, quantized, -1) == ""
    monkeypatch.setattr(copies, "UNASKED", 10.0)
    assert copy_kind(gpu(), auto, quantized, -1) == "", "a large copy is made where somebody asks for it"
    assert copy_kind(gpu(), BackendOptions(unpack="fastest"), quantized, -1) == "BF16"


def test_a_copy_that_cannot_be_made_is_done_without_in_words_unless_it_was_asked_for(quantized, gpu, tmp_path) -> None:
    gpu()
    (tmp_path / "cache" / "lager-lite").mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache" / "lager-lite" / "unpacked").write_text("in the way")
    with pytest.warns(LagerWarning, match="in the file, which moves scores"):
        found, backbone = states(quantized)
    assert backbone.copied == "" and backbone.numerics.endswith("the GPU's")
    with pytest.raises(BackendError, match="no copy of q.gguf in BF16 can be made for the GPU"):
        states(quantized, unpack="fastest")


def test_what_is_copied_and_what_is_not_is_said(quantized, short_rubric, gpu, monkeypatch, tmp_path, invoke) -> None:
    gpu()
    arguments = ["score", "-", "-m", quantized, "-r", short_rubric, "-t", 1, "--no-store"]
    runs = [invoke(*arguments, stdin='{"id": "a", "response": "R"}\n') for _ in range(2)]
    told = "unpacking q.gguf to BF16 for the GPU: a copy of 0 MB in "
    assert [run.stderr.count(told) for run in runs] == [1, 0] and {run.exit_code for run in runs} == {0}
    doctor = ["doctor", "-m", quantized, "--no-trial"]
    assert "weights           unpacked to BF16 for the GPU: " in invoke(*doctor).stdout
    assert "weights           as they are in the file\n" in invoke(*doctor, "--weights-as", "file").stdout
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    monkeypatch.setattr(copies, "UNASKED", 10.0)
    monkeypatch.setenv("LAGER_LITE_GUARD", "on")
    assert f"weights           {WOULD_UNPACK.command}\n" in invoke(*doctor).stdout
    runs = [invoke(*arguments, stdin='{"id": "a", "response": "R"}\n') for _ in range(2)]
    assert [f"Warning: the weights are {WOULD_UNPACK.command}" in run.stderr for run in runs] == [True, False]
    monkeypatch.setattr(copies, "has_room", lambda *_: False)
    assert "as they are in the file: no NVIDIA GPU has room" in invoke(*doctor).stdout


def test_tune_does_not_measure_what_the_gpu_reads_anyway(quantized, gpu, tmp_path) -> None:
    gpu()
    items = [item for item in load_demo().items][:2]
    rubric = load_rubric("faithfulness")
    found = tune(quantized, rubric, items, kinds=("BF16", "Q4_0"), options=BackendOptions(threads=1), rounds=1)
    assert [candidate.kind for candidate in found.candidates] == ["Q8_0", "Q4_0"]
    assert len(list((tmp_path / "cache" / "lager-lite" / "unpacked").iterdir())) == 1, "no copy of a copy"
