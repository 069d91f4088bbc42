"""Damaged and hostile model files: refused, or dead in a child process, never the death of a run."""

from __future__ import annotations

import os
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from lager_lite.backbones.model_file import open_model
from lager_lite.errors import BackendError, ModelFileError, PromptError
from lager_lite.llama import guard
from lager_lite.llama.guard import check_loads
from lager_lite.llama.options import BackendOptions
from lager_lite.prompts.chat import Slot, lay_out, resolve_chat
from lager_lite.system import loaded_folder
from tests.measure.gguf_mutants import run, table
from tests.model_files.mutants import KINDS, U32, mutant, packed, take_apart, text
from tests.model_files.tiny import write_tiny_model

LONG = os.environ.get("LAGER_LITE_LONG") == "1"
ROW = '{"id": "a", "instruction": "I", "response": "R"}\n'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder that takes the place of the user's cache, with a store in it; nothing is there yet."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder)
    monkeypatch.setenv("LAGER_LITE_STORE", str(folder / "readings.sqlite"))
    monkeypatch.delenv("LAGER_LITE_GUARD", raising=False)
    return folder


@pytest.fixture
def deadly(tmp_path):
    """A file that passes our checks and crashes llama.cpp: phi3 without a tensor that it takes for granted."""
    parts = take_apart(write_tiny_model(tmp_path / "phi3.gguf", "phi3", n_blocks=1))
    path = tmp_path / "deadly.gguf"
    path.write_bytes(packed(parts, [t for t in parts.tensors if t[0] != "blk.0.attn_qkv.weight"]).bytes())
    assert open_model(path).info.architecture == "phi3"
    return path


def changed(source: Path, target: Path, key: str, kind: int, value: bytes) -> Path:
    """A copy of a model with one entry changed."""
    parts = take_apart(source)
    entries = [(k, kind, value) if k == key else (k, c, v) for k, c, v in parts.entries]
    target.write_bytes(replace(parts, entries=tuple(entries)).bytes())
    return target


def test_no_mutant_ends_the_process(tmp_path: Path) -> None:
    """Short: 300 mutants; LAGER_LITE_LONG=1: 5,000 (2 minutes on 2 cores)."""
    fates = list(run(tmp_path, 0, 5000 if LONG else 300))
    print("\n" + table(fates))
    assert [f for f in fates if f.lost] == []
    assert len(fates) == len({f.seed for f in fates}) == (5000 if LONG else 300)
    assert set(Counter(f.kind for f in fates)) == set(KINDS)
    reached = Counter(f.stage for f in fates)
    assert min(reached["preflight"], reached["child"], reached["done"]) > len(fates) // 20


def test_a_mutant_is_the_same_every_time(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", "llama", n_blocks=1)
    parts, whole = take_apart(path), path.read_bytes()
    assert parts.bytes() == whole
    changed = 0
    for seed in range(50):
        kind, what, data = mutant(parts, whole, seed)
        assert kind in KINDS and (kind, what, data) == mutant(parts, whole, seed)
        changed += data != whole
    assert changed >= 45, "few mutants happen to be the original, for instance where an entry is renamed to itself"


def test_the_death_of_the_child_is_a_clear_error_every_time(cache, deadly) -> None:
    for _ in range(2):
        with pytest.raises(ModelFileError) as caught:
            check_loads(deadly)
        assert caught.value.message.startswith(f"llama.cpp crashed while loading {deadly} (SIG")
        assert (
            caught.value.hint
            == "download the file again; where other files crash too, compile the library again (lager-lite backend build "
            "--again); --no-guard loads it without this check, and a crash then ends the whole run"
        )
    assert not loaded_folder().exists()


def test_a_run_on_a_deadly_file_is_an_error_with_exit_code_1(invoke, cache, deadly) -> None:
    done = invoke("score", "-", "-m", str(deadly), stdin=ROW)
    assert done.exit_code == 1 and f"Error: llama.cpp crashed while loading {deadly}" in done.stderr


def test_the_first_load_costs_a_child_and_the_next_does_not(cache, tiny_model) -> None:
    assert [check_loads(tiny_model), check_loads(tiny_model)] == [True, False]
    assert loaded_folder() == cache / "loaded" and len(list(loaded_folder().iterdir())) == 1


def test_a_file_that_changed_is_unknown_again(cache, tiny_model, tmp_path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(tiny_model.read_bytes())
    os.utime(path, ns=(1, 1))
    assert [check_loads(path), check_loads(path)] == [True, False]
    os.utime(path, ns=(2, 2))
    assert check_loads(path)
    assert check_loads(path, BackendOptions(flash_attn="off")), "other settings are another load"


def test_what_llama_cpp_refuses_is_told_as_it_tells_it(cache, tiny_model, tmp_path) -> None:
    path = changed(tiny_model, tmp_path / "m.gguf", "tokenizer.ggml.pre", 8, text("no-such-rule"))
    with pytest.raises(BackendError) as caught:
        check_loads(path)
    assert caught.value.message.startswith(f"llama.cpp cannot load {path}: ") and "no-such-rule" in caught.value.message
    assert not loaded_folder().exists()


def test_a_file_that_never_ends_loading_is_given_up(cache, tiny_model, monkeypatch) -> None:
    monkeypatch.setattr(guard, "_CHILD", "import time; time.sleep(60)")
    with pytest.raises(ModelFileError) as caught:
        check_loads(tiny_model, patience=0.2)
    assert caught.value.message == f"loading {tiny_model} took longer than 0 s"
    assert caught.value.hint.startswith("run again when the machine is less busy; --no-guard loads the file without")


def test_a_cache_that_cannot_be_written_stops_nothing(cache, tiny_model) -> None:
    cache.write_text("a file where the folder should be")
    assert [check_loads(tiny_model), check_loads(tiny_model)] == [True, True]


def test_the_guard_can_be_turned_off(invoke, cache, tiny_model, monkeypatch) -> None:
    monkeypatch.setattr("lager_lite.cli.options.judging.check_loads", lambda *_: pytest.fail("the guard was asked"))
    arguments = ["score", "-", "-m", str(tiny_model), "--no-store"]
    assert invoke(*arguments, "--no-guard", stdin=ROW).exit_code == 0
    monkeypatch.setenv("LAGER_LITE_GUARD", "off")
    assert invoke(*arguments, stdin=ROW).exit_code == 0


def test_the_child_takes_no_modules_from_the_working_folder(cache, tiny_model, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.setattr("sys.path", [p for p in __import__("sys").path if p not in ("", str(tmp_path))])
    assert check_loads(tiny_model)


ATTACKS = {
    "endless loop": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "memory": "{% set n = namespace(s='xx') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
    "a list that doubles": "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "classes by filter": "{{ ''|attr('__class__') }}",
    "classes by item": "{{ ''['__class__'].__name__.x }}",
    "classes by format": "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
    "classes by map": "{{ [messages]|map(attribute='__class__')|list|first|string }}{{ nothing.here }}",
    "globals of a function": "{{ raise_exception.__globals__ }}",
    "globals of strftime_now": "{{ strftime_now.__self__.__class__.__base__.__subclasses__() }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "changed list": "{{ messages.append(1) }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "generator": "{{ (x for x in messages).gi_frame }}",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_template_that_loops_allocates_or_reaches_out_fails_or_finds_nothing(name: str) -> None:
    """Filters and calls find an undefined value where an attribute is not safe: they print nothing."""
    try:
        plan = lay_out(resolve_chat(ATTACKS[name] + "{{ messages[0].content }}"), "", (Slot("response"),))
    except PromptError as error:
        assert "root:" not in error.message
    else:
        assert name in ("classes by filter", "globals of a function")
        assert plan.parts == (Slot("response"),)


def test_a_hostile_template_inside_a_model_file_is_an_error_of_the_command(invoke, cache, tiny_model, tmp_path) -> None:
    source = ATTACKS["endless loop"] + "{{ messages[0].content }}"
    path = changed(tiny_model, tmp_path / "m.gguf", "tokenizer.chat_template", 8, text(source))
    done = invoke("score", "-", "-m", str(path), "--no-store", stdin=ROW)
    assert done.exit_code == 1
    assert "the chat template was stopped: it takes more than 50000 steps" in done.stderr


def test_numbers_in_place_of_text_in_a_model_file_are_no_traceback(invoke, cache, tiny_model, tmp_path) -> None:
    path = changed(tiny_model, tmp_path / "m.gguf", "tokenizer.chat_template", U32, struct.pack("<I", 7))
    done = invoke("score", "-", "-m", str(path), stdin=ROW)
    assert done.exit_code == 1 and "the tokenizer.chat_template 7" in done.stderr
