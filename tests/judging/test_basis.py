"""Readings name what made them, as a processor's instructions: those of others are kept, told of, and not used."""

from __future__ import annotations

import sqlite3
import warnings

import pytest

from lager_lite.backbones import open_model
from lager_lite.errors import StoreWarning
from lager_lite.judging import basis
from lager_lite.judging.judge import Judge
from lager_lite.judging.store import Store
from lager_lite.llama import copies, instructions, load, requantize
from lager_lite.llama.library import Device
from lager_lite.prompts import make_rubric
from lager_lite.records import Item

SHORT = make_rubric("short", "Is it good?", template="{sections}\n{criterion}")
ITEMS = [Item(str(i), {"instruction": "Say it.", "response": f"answer {i}"}) for i in range(4)]
OTHER = "CPU : SSE3 = 1 | AVX = 1 | F16C = 1 | "


def judged(model, store, items):
    """The counts of a run, and what it warned of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with Judge(model, rubric=SHORT, store=store) as judge:
            list(judge.judged(items[:2], quiet=True))
            list(judge.judged(items[2:], quiet=True))
            return judge.counts, [str(w.message) for w in told if w.category is StoreWarning]


@pytest.mark.parametrize("kind", ["f32", "another"])
def test_readings_of_other_instructions_are_kept_told_of_and_computed_anew(tiny_model, tmp_path, monkeypatch, kind):
    """Also where what matrices are unpacked to, which keys name too, follows from the instructions."""
    here = instructions(load())
    monkeypatch.setattr(type(load()), "unpack_type", lambda self: "f32")
    with Store(tmp_path / "s.sqlite") as store:
        with monkeypatch.context() as other:
            other.setattr(type(load()), "system_info", lambda self: OTHER)
            other.setattr(type(load()), "unpack_type", lambda self: kind)
            there = instructions(load())
            assert judged(tiny_model, store, ITEMS[1:])[1] == []
        counts, told = judged(tiny_model, store, ITEMS)
        assert counts.stored == 0 and counts.evaluated_tokens > 0
        assert told == [
            "the store holds 1 reading of the next 2 prompts that was computed with other instructions of a processor "
            f"({there}; here {here}). They may differ a little from this run's, so they are left in the store, and the "
            "prompts are evaluated anew"
        ]
        assert store.info().instructions == {there: 3, here: 4}
        counts, told = judged(tiny_model, store, ITEMS)
        assert counts.stored == 4 and told == []


def of_version_3(path):
    """Make a store what the version before wrote: no table of bases, and keys without instructions."""
    db = sqlite3.connect(path)
    with db:
        db.execute("DROP TABLE bases")
        db.execute("PRAGMA user_version=3")
    db.close()


@pytest.mark.parametrize("kind", ["f32", "bf16"])
def test_readings_of_an_earlier_version_stay_readable_and_are_computed_anew(tiny_model, tmp_path, monkeypatch, kind):
    """Also those of a processor on which matrices are unpacked to another type."""
    path = tmp_path / "s.sqlite"
    monkeypatch.setattr(type(load()), "unpack_type", lambda self: "f32")
    with monkeypatch.context() as earlier:
        earlier.setattr(type(load()), "unpack_type", lambda self: kind)
        # An earlier version named nothing but the others.
        earlier.setattr(Judge, "context_key", property(lambda self: self.basis.earlier[0]))
        with Store(path) as store:
            judged(tiny_model, store, ITEMS)
    of_version_3(path)
    with Store(path) as store:
        assert store.info().instructions == {"": 4}
        counts, (told,) = judged(tiny_model, store, ITEMS)
        assert counts.stored == 0 and "2 readings of the next 2 prompts" in told
        assert "by an earlier version, which did not note with which instructions of a processor (they may be " in told
        assert store.info().instructions == {"": 4, instructions(load()): 4}


@pytest.mark.parametrize("there", ["unpacked to bf16, version 3", "unpacked to f32, version 3"])
def test_readings_of_an_earlier_version_are_told_of_on_a_processor_that_unpacks_to_another_type(there):
    """Its keys named what matrices were unpacked to, and so not this processor's."""
    here = "unpacked to f32, version 3"
    assert f"1, products {there}" in basis._anywhere(f"1, products {here}")
    assert basis._anywhere("1, products llama.cpp's") == ["1, products llama.cpp's"]


def test_a_merged_store_tells_what_the_readings_of_the_other_were_computed_with(tiny_model, tmp_path, monkeypatch):
    with Store(tmp_path / "a.sqlite") as ours, Store(tmp_path / "b.sqlite") as theirs:
        with monkeypatch.context() as other:
            other.setattr(type(load()), "system_info", lambda self: OTHER)
            judged(tiny_model, theirs, ITEMS)
            there = instructions(load())
        assert ours.merge(theirs) == 4
        assert ours.info().instructions == {there: 4}
        _, (told,) = judged(tiny_model, ours, ITEMS)
        assert f"({there}; here " in told


@pytest.mark.parametrize("words", ["x86_64: AVX2", ""])
def test_store_info_says_what_readings_were_computed_with(words, tiny_model, run, tmp_path, monkeypatch):
    with Store(tmp_path / "s.sqlite") as store:
        monkeypatch.setattr("lager_lite.judging.basis.instructions", lambda library: words)
        with Judge(tiny_model, rubric=SHORT, store=store) as judge:
            list(judge.judged(ITEMS, quiet=True))
    last = run("store", "info", "--store", tmp_path / "s.sqlite").stdout.splitlines()[-1]
    assert last == (
        "computed  4 with x86_64: AVX2"
        if words
        else "computed  4 by an earlier version, which did not note with which instructions"
    )


def test_a_run_that_is_resumed_with_less_gpu_memory_says_that_its_readings_are_others(
    tiny_model, tmp_path, monkeypatch
):
    """Whether an unpacked copy is read depends on what other programs leave free. The prompts were evaluated anew, with
    other scores, and nothing was said."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    quantized, library = requantize(tiny_model, tmp_path / "q.gguf", "Q8_0"), load()
    monkeypatch.setattr(library.api, "llama_supports_gpu_offload", lambda: True)

    def judged_with(free):
        gpu = Device("CUDA0", "a GPU", "GPU", free, 2**40)
        monkeypatch.setattr(library, "devices", lambda: [gpu, Device("CPU", "a CPU", "CPU", 2**40, 2**40)])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="q.gguf is not read as an unpacked copy")
            return judged(quantized, store, ITEMS)

    with Store(tmp_path / "s.sqlite") as store:
        assert judged_with(2**40)[1] == []
        enough_for_the_file = 2**29 + 3 * quantized.stat().st_size // 2
        need = 2.4 * open_model(quantized).parameters
        monkeypatch.setattr(copies, "_MEMORY", 1.2 * enough_for_the_file / need + 1)
        counts, told = judged_with(enough_for_the_file)
        assert counts.stored == 0 and told == [
            "the store holds 2 readings of the next 2 prompts that were computed in another way (a GPU from a copy in BF16; "
            "here a GPU from the file as it is). They may differ from this run's, so they are left in the store, and the "
            "prompts are evaluated anew"
        ]
        counts, told = judged_with(enough_for_the_file)
        assert counts.stored == 4 and told == []
        counts, told = judged_with(0)
        assert counts.stored == 0 and "a GPU from the file as it is; here the CPU). They may differ from" in told[0]
        words = instructions(library)
        ways = ("", "; computed by a GPU from a copy in BF16", "; computed by a GPU from the file as it is")
        assert store.info().instructions == {words + way: 4 for way in ways}
