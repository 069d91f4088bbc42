"""No output of any command is one of its inputs, or another output, or in a format that it does not write."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lager_lite.cli import main
from lager_lite.cli.grammar import commands_of
from lager_lite.cli.outputs import OutputFile
from lager_lite.system import check_writable

LEAVES = {name: c for name, c in commands_of(main) if not isinstance(c, click.Group)}
# What an option reads begins its help like this; every other option with a file writes it.
READING = ("Use ", "Read ", "Weights that ", "Draw the weights ")
NOT_FILES = ("Put the wheel into this folder",)
TEXT = '{"id": "a", "response": "b", "score": 1}\n'


def named(parameter: click.Parameter) -> bool:
    """Whether a user names a file with a parameter."""
    return isinstance(parameter.type, click.Path)


OUTPUTS = [(name, p) for name, c in LEAVES.items() for p in c.params if isinstance(p.type, OutputFile)]
INPUTS = {
    name: [
        p
        for p in c.params
        if not isinstance(p.type, OutputFile)
        and (named(p) or p.name in ("rubrics", "model") or (isinstance(p, click.Argument) and p.name in READ_ARGUMENTS))
    ]
    for READ_ARGUMENTS in [("items", "labelled", "data", "source", "prompt")]
    for name, c in LEAVES.items()
}
PAIRS = [(name, out, read) for name, out in OUTPUTS for read in INPUTS[name]]
TWINS = [
    (name, one, other)
    for name, command in LEAVES.items()
    for one, other in itertools.combinations([p for p in command.params if isinstance(p.type, OutputFile)], 2)
]


def ident(value: object) -> str:
    return value if isinstance(value, str) else value.opts[-1] if isinstance(value, click.Parameter) else str(value)


def line(command: click.Command, values: dict[str, str]) -> list[str]:
    """A command line with the values of parameters by name; what is required besides gets a file of its own."""
    words: list[str] = []
    for p in command.params:
        value = values.get(str(p.name))
        if value is None and p.required:
            value = p.type.choices[0] if isinstance(p.type, click.Choice) else f"other-{p.name}"
            if isinstance(p.type, OutputFile) and p.type.suffixes:
                value += p.type.suffixes[0]
            elif isinstance(p.type, click.Path):
                value = "other.json"
        if value is None:
            continue
        if isinstance(p, click.Argument):
            words.append(value)
        else:
            words += [f"{p.opts[0]}={value}" if p.opts[0].startswith("--") else p.opts[0]]
            words += [] if p.opts[0].startswith("--") else [value]
    return words


@pytest.fixture
def folder(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "other.json").write_text(TEXT)
    monkeypatch.setenv("LAGER_LITE_MODEL", "no-such-model.gguf")
    return tmp_path


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_that_writes_a_file_says_so_by_its_type(name):
    """A new command cannot forget the check: what names a file either reads or has the type that is checked."""
    for parameter in LEAVES[name].params:
        if isinstance(parameter, click.Option) and not parameter.is_flag:
            text = parameter.help or ""
            writes = "write" in text.lower().split() and "file" in text
            if parameter.opts[0] == "-o" or writes or (named(parameter) and not text.startswith(READING + NOT_FILES)):
                assert isinstance(parameter.type, OutputFile), parameter.opts


@pytest.mark.parametrize("linked", ["itself", "symbolic", "hard"])
@pytest.mark.parametrize(("name", "out", "read"), PAIRS, ids=ident)
def test_an_input_is_never_an_output(run, folder, name, out, read, linked):
    path = folder / ("in.toml" if read.name == "rubrics" else "in.jsonl")
    path.write_text(TEXT)
    target = folder / "link"
    if linked == "itself":
        target = path
    elif linked == "symbolic":
        target.symlink_to(path)
    else:
        os.link(path, target)
    done = run(*name.split(), *line(LEAVES[name], {str(out.name): str(target), str(read.name): path.name}))
    assert done.exit_code == 2, done.output
    assert f"{out.opts[0]} {target} would overwrite what is given as " in done.stderr
    assert path.read_text() == TEXT and not list(folder.glob("*.sqlite"))


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(("name", "one", "other"), TWINS, ids=ident)
def test_two_outputs_are_two_files(run, folder, name, one, other, existing):
    if existing:
        (folder / "same").write_text(TEXT)
    values = {str(one.name): "same", str(other.name): str(folder / "same")}
    done = run(*name.split(), *line(LEAVES[name], values))
    assert done.exit_code == 2 and "both write to same: name two files" in done.stderr, done.output


@pytest.mark.parametrize(("name", "one", "other"), TWINS[:3], ids=ident)
def test_two_outputs_differ_in_more_than_capitals(run, folder, name, one, other):
    values = {str(one.name): "same", str(other.name): str(folder / "Same")}
    done = run(*name.split(), *line(LEAVES[name], values))
    assert done.exit_code == 2 and "differ only in capitals, which many disks do not tell apart" in done.stderr


@pytest.mark.parametrize("suffix", [".parquet", ".xlsx", ".gz"])
@pytest.mark.parametrize(("name", "out"), [(n, p) for n, p in OUTPUTS if p.type.suffixes], ids=ident)
def test_a_format_that_is_not_written_is_refused(run, folder, name, out, suffix):
    done = run(*name.split(), *line(LEAVES[name], {str(out.name): f"out{suffix}"}))
    assert done.exit_code == 2 and f"cannot write {suffix} files, only ." in done.stderr, done.output


@pytest.mark.parametrize(("name", "out"), [(n, p) for n, p in OUTPUTS if p.type.suffixes], ids=ident)
def test_a_folder_that_is_missing_is_said_before_anything_is_read(run, folder, name, out):
    """The inputs are missing, too, so a later check would have named them."""
    path = f"nowhere/out{out.type.suffixes[0]}"
    done = run(*name.split(), *line(LEAVES[name], {str(out.name): path}))
    assert done.exit_code == 1, done.output
    assert done.stderr.startswith(f"Error: {path}: cannot write: No such file or directory\nTry: ")


def test_the_scores_that_select_writes_unasked_are_an_output(run, folder):
    rows = folder / "best.json.scores.jsonl"
    rows.write_text(TEXT)
    done = run("select", rows.name, "--top", 1, "-o", "best.json")
    assert done.exit_code == 2 and "--scores best.json.scores.jsonl would overwrite" in done.stderr
    assert rows.read_text() == TEXT


def test_the_model_that_is_used_unasked_is_an_input(run, folder, monkeypatch):
    model = folder / "model.gguf"
    model.write_text("GGUF")
    monkeypatch.setenv("LAGER_LITE_MODEL", str(model))
    done = run("prune", "-w", "other.json", "-o", model.name)
    assert done.exit_code == 2 and "-o model.gguf would overwrite" in done.stderr and model.read_text() == "GGUF"


def test_the_store_is_no_output_of_anything_else(run, folder):
    done = run("rubrics", "list", "--json=store.json")
    assert done.exit_code == 0
    done = run("store", "info", "--store", "s.json", "--json=s.json")
    assert done.exit_code == 2 and "--store and --json both write to s.json" in done.stderr


def test_a_pipe_or_device_may_be_named_twice(run, folder):
    done = run("data", "convert", "other.json", "-o", os.devnull)
    assert done.exit_code == 0, done.output


def test_the_check_of_a_folder_leaves_nothing(tmp_path):
    check_writable(tmp_path / "new.json")
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_output_may_be_written_again(run, folder):
    (folder / "in.jsonl").write_text(TEXT)
    for _ in range(2):
        assert run("data", "convert", "in.jsonl", "-o", "out.csv").exit_code == 0
    assert json.loads(TEXT)["response"] in (folder / "out.csv").read_text()


def test_every_part_of_a_split_model_is_an_input(run, folder):
    parts = [folder / f"big-0000{n}-of-00002.gguf" for n in (1, 2)]
    for part in parts:
        part.write_text("GGUF")
    done = run("prune", "-m", parts[0].name, "-w", "other.json", "-o", parts[1].name)
    assert done.exit_code == 2 and f"-o {parts[1].name} would overwrite what is given as -m" in done.stderr, done.output
    assert parts[1].read_text() == "GGUF"


def test_rows_are_not_appended_to_what_is_read(folder):
    mine = folder / "mine.jsonl"
    mine.write_text(TEXT)
    with mine.open("a") as own, (folder / "other.jsonl").open("a") as other:
        call = [sys.executable, "-m", "lager_lite", "data", "convert", "mine.jsonl"]
        refused = subprocess.run(call, stdout=own, stderr=subprocess.PIPE, text=True, check=False)
        done = subprocess.run(call, stdout=other, check=False)
    assert refused.returncode == 2 and "stdout is redirected into what is given as FILE" in refused.stderr
    assert mine.read_text() == TEXT and done.returncode == 0
