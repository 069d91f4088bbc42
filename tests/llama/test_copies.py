"""On an NVIDIA GPU a quantized file is read as a copy with unpacked weights, which counts as the file."""

from __future__ import annotations

import json
import os
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from lager_lite.backbones import open_model
from lager_lite.data import load_demo
from lager_lite.errors import COMMAND, BackendError, LagerWarning, through
from lager_lite.llama import (
    UNFINISHED,
    Backbone,
    BackendOptions,
    copies,
    copies_of,
    copy_files,
    delete_copies,
    lack_of_asking,
    list_copies,
    requantize,
    say_new_copy,
)
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

    def give(*free: int, name: str = "CUDA", total: int = 2**40):
        library = load()
        monkeypatch.setattr(library.api, "llama_supports_gpu_offload", lambda: True)
        cpu = Device("CPU", "a CPU", "CPU", 2**40, 2**40)
        gpus = [Device(f"{name}{i}", "a GPU", "GPU", room, total) for i, room in enumerate(free or (2**40,))]
        monkeypatch.setattr(library, "devices", lambda: [*gpus, cpu])
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
    expected = [f"{name}.{end}" for end in ("BF16.gguf", "BF16.note", "F32.gguf", "F32.note")]
    assert copied == expected, "one of each, with its note, and nothing else"


def test_a_damaged_copy_is_made_again(quantized, gpu, tmp_path) -> None:
    gpu()
    whole = states(quantized)[0]
    (copy,) = (tmp_path / "cache" / "lager-lite" / "unpacked").glob("*.gguf")
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
    assert has_room(library, auto, quantized, -1)
    assert not has_room(library, BackendOptions.exact(), quantized, -1), "float32 takes twice as much"
    assert copy_kind(library, auto, quantized, -1) == "BF16"
    assert copy_kind(library, auto, quantized, 2) == copy_kind(library, auto, quantized, 0) == ""
    assert copy_kind(library, auto, tiny_model, -1) == "", "its weights are floats already"
    assert copy_kind(gpu(need - 2), auto, quantized, -1) == ""
    assert copy_kind(gpu(name="Metal"), auto, quantized, -1) == ""
    two = gpu(need // 2, need)
    assert copy_kind(two, auto, quantized, -1) == "BF16"
    assert copy_kind(two, BackendOptions(split_mode="none"), quantized, -1) == "", "only the first holds it"
    assert copy_kind(two, BackendOptions(split_mode="none", main_gpu=1), quantized, -1) == "BF16"


def test_a_large_copy_is_made_where_somebody_asks_for_it(quantized, gpu, monkeypatch, tmp_path) -> None:
    """With --exact the GPU's own 8-bit products were used in its place, without a word."""
    monkeypatch.setattr(copies, "UNASKED", 10.0)
    library = gpu()
    assert copy_kind(library, BackendOptions(), quantized, -1) == ""
    for options, kind in ((BackendOptions(unpack="fastest"), "BF16"), (BackendOptions.exact(), "F32")):
        assert lack_of_asking(library, options, quantized, -1) == "that would make a copy of 0.0 GB"
        assert copy_kind(library, options, quantized, -1) == kind
        assert f"unpacking q.gguf to {kind} for the GPU: a copy of " in say_new_copy(library, options, quantized, -1)
    found, backbone = states(quantized, flash_attn="off", cache_type_k="f32", cache_type_v="f32", unpack="f32")
    assert backbone.copied == "F32"
    np.testing.assert_array_equal(
        found,
        states(
            requantize(quantized, tmp_path / "f32.gguf", "F32"),
            **{"flash_attn": "off", "cache_type_k": "f32", "cache_type_v": "f32"},
        )[0],
    )
    assert lack_of_asking(library, BackendOptions.exact(), quantized, -1) == "", "it is there by now"


@pytest.mark.parametrize(
    ("options", "asked", "hint"),
    [
        (
            BackendOptions.exact(),
            "--exact",
            "make room for it, compute exactly on the CPU with -ngl 0, or leave out --exact",
        ),
        (BackendOptions(unpack="fastest"), "--weights-as unpacked", "make room for it, or leave out --weights-as"),
    ],
)
def test_what_was_asked_for_and_cannot_be_had_is_refused(
    quantized, gpu, monkeypatch, invoke, short_rubric, options, asked, hint
) -> None:
    kind = "F32" if asked == "--exact" else "BF16"
    begin = f"{asked} needs a copy of q.gguf in {kind} on the GPU (0.0 GB), and "
    with through(COMMAND):
        with pytest.raises(BackendError) as refused:
            copy_kind(gpu(0), options, quantized, -1)
        assert refused.value.message == (
            f"{begin}with what it computes in, that takes 0.0 GB of GPU memory, of which 0.0 GB are free"
        )
        assert refused.value.hint == hint
        with pytest.raises(BackendError) as refused:
            copy_kind(gpu(), options, quantized, 2)
        assert refused.value.message == f"{begin}only 2 of 3 blocks lie on the GPU (-ngl all puts all there)"
        assert copy_kind(gpu(), options, quantized, 0) == "", "the CPU unpacks by itself"
        monkeypatch.setattr(copies, "_free_on_disk", lambda: 0)
        with pytest.raises(BackendError, match="only 0.0 GB are free on the disk of "):
            copy_kind(gpu(), options, quantized, -1)
    run = invoke(
        "score", "-", "-m", quantized, "-r", short_rubric, *asked.split(), stdin='{"id": 1, "response": "R"}\n'
    )
    assert run.exit_code == 1 and f"Error: {begin}" in run.stderr and run.stdout == ""


def test_a_copy_that_is_not_read_this_time_is_said(quantized, gpu) -> None:
    """The same command read the copy at one time and the file at another, and said so nowhere."""
    gpu(1000)
    with pytest.warns(LagerWarning) as told:
        found, backbone = states(quantized, gpu_layers="all")
    assert backbone.copied == ""
    assert [str(w.message).partition(", of which")[0] for w in told] == [
        "q.gguf is not read as an unpacked copy this time: with what it computes in, that takes 0.0 GB of GPU memory"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        states(quantized, unpack="off")
        gpu(0, total=0)
        states(quantized, gpu_layers="all")  # never reads one


def test_a_copy_is_kept_while_a_process_reads_it(quantized, gpu) -> None:
    gpu()
    with Backbone(quantized, BackendOptions(threads=1)) as backbone:
        (copy,) = list_copies()
        assert (copy.source, copy.kind, copy.in_use) == (str(quantized), "BF16", True)
        assert copy.bytes == copy.path.stat().st_size and abs(copy.used - time.time()) < 60
        assert delete_copies([copy]) == [(copy, "a running process reads it")] and copy.path.exists()
        assert backbone.copied == "BF16"
    os.utime(copy.path.with_suffix(".note"), (0, 0))
    assert list_copies() == (replace(copy, used=0.0, in_use=False),)
    states(quantized)
    (again,) = list_copies()
    assert again.used > 0 and not again.in_use, "the last use counts"
    assert delete_copies([again]) == [(again, "")]
    assert list(copy.path.parent.iterdir()) == []


def test_what_a_killed_process_left_of_a_copy_is_listed_and_removed(quantized, gpu) -> None:
    gpu()
    states(quantized)
    (whole,) = list_copies()
    left = whole.path.parent / f"{whole.path.name}.making-x1"
    left.mkdir()
    (left / whole.path.name).write_bytes(b"GGUF" * 100)
    assert {(copy.path, copy.kind) for copy in list_copies()} == {(whole.path, "BF16"), (left, UNFINISHED)}
    assert sum(copy.bytes for copy in copies_of(quantized)) == whole.bytes + 400
    assert [reason for _, reason in delete_copies([whole])] == [""]
    assert [copy.path for copy in list_copies()] == [left], "its note is still there"
    states(quantized)
    assert [copy.path for copy in list_copies()] == [whole.path], "whoever makes the copy sweeps first"


def test_two_processes_make_one_copy(quantized, gpu, monkeypatch) -> None:
    gpu()
    made = []
    make = copy_files.requantize
    monkeypatch.setattr(copy_files, "requantize", lambda *given: made.append(given) or time.sleep(0.2) or make(*given))
    with ThreadPoolExecutor(2) as pool:
        held = list(pool.map(lambda _: copy_files.hold_copy(quantized, "BF16"), range(2)))
    assert len(made) == 1 and held[0][0] == held[1][0]
    for _, note in held:
        note.close()


def test_copies_are_listed_and_deleted_by_command(quantized, gpu, invoke, tmp_path) -> None:
    gpu()
    assert invoke("models", "copies", "delete", "--all").stdout == "there is no copy to delete\n"
    assert invoke("models", "copies", "delete").exit_code == 2
    states(quantized)
    states(quantized, unpack="f32")
    listed = invoke("models", "copies", "list")
    assert [line.split()[:2] for line in listed.stdout.splitlines()[2:]] == [
        [str(quantized), k] for k in ("F32", "BF16")
    ]
    assert "2 copies, " in listed.stderr
    bf16 = min(list_copies(), key=lambda copy: copy.bytes)
    done = invoke("models", "copies", "delete", bf16.path.name, stdin="y\n")
    assert "Delete 1 copy of 0 MB? [y/N]: " in done.stdout and "1 copy deleted, 0 MB\n" in done.stdout
    with Backbone(quantized, BackendOptions(threads=1, unpack="f32")):
        kept = invoke("models", "copies", "delete", quantized, "--yes")
        assert (
            kept.exit_code == 1 and "F32.gguf was kept: a running process reads it\nTry: end the process" in kept.stderr
        )
    quantized.unlink()
    assert f"{quantized} (gone)" in invoke("models", "copies", "list").stdout
    assert json.loads(invoke("models", "copies", "list", "--json").stdout)[0]["kind"] == "F32"
    assert invoke("models", "copies", "delete", quantized, "--yes").stdout == "1 copy deleted, 1 MB\n"
    assert list_copies() == ()


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
    gpu(0, total=0)
    assert "as they are in the file: no NVIDIA GPU has room" in invoke(*doctor, "-ngl", "all").stdout


def test_tune_does_not_measure_what_the_gpu_reads_anyway(quantized, gpu, tmp_path) -> None:
    gpu()
    items = [item for item in load_demo().items][:2]
    rubric = load_rubric("faithfulness")
    found = tune(quantized, rubric, items, kinds=("BF16", "Q4_0"), options=BackendOptions(threads=1), rounds=1)
    assert [candidate.kind for candidate in found.candidates] == ["Q8_0", "Q4_0"]
    assert len(list((tmp_path / "cache" / "lager-lite" / "unpacked").glob("*.gguf"))) == 1, "no copy of a copy"
