"""What is printed: UTF-8 whatever the locale says, and nothing that a terminal would obey."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lager_lite.cli.show import progress
from lager_lite.cli.show.progress import show_progress
from lager_lite.cli.streams import visible
from lager_lite.records import Counts

pty = pytest.importorskip("pty", reason="terminals of POSIX")
ROOT = Path(__file__).resolve().parents[2]
# Clears the screen, rings, ends a text, turns the direction of writing around, hides a tag; and what may stay.
ODD = "a\x1b[2J\x07\0\x9b1m\r\u202eb\u2066c\U000e0041d\x7f"
FINE = "Grüße, 日本語, שלום, 👩‍👩‍👧 tab\tline\n"


def test_what_a_terminal_obeys_is_written_out():
    assert visible(FINE) == FINE
    shown = visible(ODD)
    assert shown == r"a\u001b[2J\u0007\u0000\u009b1m\u000d\u202eb\u2066c\udb40\udc41d\u007f"
    assert json.loads(f'"{shown}"') == ODD


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "lager_lite", *map(str, words)]


@pytest.fixture
def call(tmp_path, tiny_model, short_rubric):
    """The words of `prompt` on an item of odd characters, and where to run them."""
    row = {"id": f"x{ODD}", "response": ODD + FINE}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    words = command("prompt", "in.jsonl", "-m", tiny_model, "-r", "good.toml", "-t", 1, "--no-guard", "--no-store")
    return {"args": words, "cwd": tmp_path}


def on_terminal(call, **environment: str) -> str:
    """What a command writes to a terminal, stdout and stderr together."""
    reader, writer = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    process = subprocess.Popen(**call, env=env, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer)
    os.close(writer)
    read = b""
    while True:
        try:
            piece = os.read(reader, 4096)
        except OSError:
            break  # Linux says so when the other end is closed
        if not piece:
            break
        read += piece
    os.close(reader)
    assert process.wait() == 0
    return read.decode("utf-8").replace("\r\n", "\n")


def test_a_terminal_is_shown_escapes_and_a_pipe_gets_the_text(call):
    shown = on_terminal(call, LC_ALL="C", PYTHONIOENCODING="ascii")
    assert visible(ODD) + FINE.rstrip("\n") in shown and f"=== item x{visible(ODD)}" in shown
    assert "⟦" in shown and not any(sign in shown for sign in "\x1b\x07\0\u202e")
    piped = subprocess.run(
        **call, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252"}, capture_output=True
    )
    # Click leaves sequences such as "clear the screen" out of what is no terminal.
    assert piped.returncode == 0 and ODD.replace("\x1b[2J", "") + FINE.rstrip("\n") in piped.stdout.decode("utf-8")


@pytest.mark.parametrize(("rows_to", "shown"), [("-", False), ("out.jsonl", True), (None, True)])
def test_no_bar_shares_a_terminal_with_rows(monkeypatch, rows_to, shown):
    terminals = {name: io.StringIO() for name in ("stdout", "stderr")}
    for name, stream in terminals.items():
        stream.isatty = lambda: True
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setattr(progress, "REDRAW", 0.02)
    with show_progress(3, rows_to=rows_to) as update:
        update(Counts(seen=3, done=1, planned_tokens=30, evaluated_tokens=10))
        time.sleep(0.1)
    assert ("1/3" in terminals["stderr"].getvalue()) is shown


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk that is always there")
@pytest.mark.parametrize(
    "words", (["--help"], ["--version"], ["score", "--help"], ["docs"], ["rubrics", "list"], ["completion", "bash"])
)
def test_a_full_disk_behind_stdout_is_one_error_in_words(words):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command(*words), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: stdout: cannot write: No space left on device",
        "Try: write to a file on another disk",
    ]


@pytest.mark.parametrize("words", (["docs", "commands"], ["score", "--help"]))
def test_a_reader_that_ends_first_is_told_by_the_exit_code_of_a_broken_pipe(words):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command(*words), stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
