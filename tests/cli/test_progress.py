"""What is shown while a command works, and how right its time left is."""

from __future__ import annotations

import io
import os
import sys
import threading
import time

import pytest

from lager_lite.cli.show import progress as shown
from lager_lite.cli.show.pace import JUDGING, PLANNING, WRITING, Pace, clock
from lager_lite.cli.show.progress import Status, say, show_progress, show_stage, show_steps
from lager_lite.records import Counts


def as_terminal(monkeypatch):
    """Make stderr a terminal of 80 columns, with twenty drawings a second."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(shown, "REDRAW", 0.05)
    monkeypatch.setenv("COLUMNS", "81")
    return stream


def test_the_time_left_is_of_tokens_and_not_of_judgments():
    """One judgment of 900 tokens is done, 9 of 100 are not: half of the tokens, and so half of the time."""
    pace = Pace(10, 0.0)
    pace.see(Counts(seen=10), 2.0)
    pace.see(Counts(seen=10, prompt_tokens=3600), 2.0)
    assert (pace.phase, pace.left(2.0)) == (PLANNING, None)
    pace.see(Counts(seen=10, prompt_tokens=3600, planned_tokens=1800), 2.0)
    pace.see(Counts(seen=10, prompt_tokens=3600, planned_tokens=1800, evaluated_tokens=900, done=1), 11.0)
    assert (pace.phase, pace.left(11.0), pace.speed, pace.spared) == (JUDGING, 9.0, 100.0, 0.5)
    assert pace.share(11.0) == pytest.approx(11 / 20)
    assert pace.left(13.0) == 7.0  # the decode that runs has begun


def test_what_no_prompt_was_made_for_costs_what_came_before():
    """100 of 300 judgments are planned: 1 second of making prompts, 10 of reading."""
    pace = Pace(300, 0.0)
    for seen in range(1, 101):
        pace.see(Counts(seen=seen), seen / 100)
    planned = {"seen": 100, "planned_tokens": 1000}
    pace.see(Counts(**planned), 1.0)
    pace.see(Counts(**planned, evaluated_tokens=500, done=50), 6.0)
    assert pace.left(6.0) == pytest.approx(5 + 2 * 11)
    pace.see(Counts(**planned, evaluated_tokens=1000, done=100), 11.0)
    pace.see(Counts(**{**planned, "seen": 101}, evaluated_tokens=1000, done=100), 11.01)
    assert pace.phase == PLANNING and pace.left(11.01) == pytest.approx(22, abs=0.1)


def test_feedback_is_drawn_and_then_read():
    """Two texts of at most 50 tokens behind prompts of 100: drawing takes 0.1 s a token, reading 0.01 s."""
    texts = {"seen": 2, "planned_texts": 2, "most_generated": 100}
    pace = Pace(2, 0.0)
    pace.see(Counts(seen=2), 0.0)
    pace.see(Counts(**texts, planned_tokens=200), 0.0)
    pace.see(Counts(**texts, planned_tokens=200, evaluated_tokens=100), 1.0)
    assert pace.left(1.0) == pytest.approx(0.01 * (100 + 3 * 100 + 300))  # how long drawing takes is a guess so far
    pace.see(Counts(**texts, planned_tokens=200, evaluated_tokens=200, generated_tokens=1), 2.0)
    pace.see(Counts(**texts, planned_tokens=200, evaluated_tokens=200, generated_tokens=51), 7.0)
    assert pace.phase == WRITING
    assert pace.left(7.0) == pytest.approx(4.9 + 0.01 * 300)  # 49 more tokens, then prompts and texts are read
    done = {"generated_tokens": 80, "written_texts": 2}
    pace.see(Counts(**texts, **done, planned_tokens=200, evaluated_tokens=200), 10.0)
    assert pace.left(10.0) == pytest.approx(0.01 * (200 + 2 * 40))  # they were shorter
    pace.see(Counts(**texts, **done, planned_tokens=480, evaluated_tokens=200), 10.0)
    pace.see(Counts(**texts, **done, planned_tokens=480, evaluated_tokens=340, done=1), 11.4)
    assert pace.phase == JUDGING and pace.left(11.4) == pytest.approx(1.4)


def test_a_run_from_the_store_is_done_at_once():
    pace = Pace(5, 0.0)
    pace.see(Counts(seen=5), 0.1)
    pace.see(Counts(seen=5, done=5, stored=5), 0.1)
    assert pace.finished and (pace.left(0.1), pace.share(0.1)) == (0.0, 1.0)


def test_a_terminal_gets_one_line_that_is_cleared(monkeypatch):
    terminal = as_terminal(monkeypatch)
    with show_progress(4, "comparing") as update:
        update(Counts(seen=4))
        update(Counts(seen=4, prompt_tokens=800, planned_tokens=400))
        update(Counts(seen=4, prompt_tokens=800, planned_tokens=400, evaluated_tokens=200, done=2))
        time.sleep(0.25)
        say("A line of its own.")
        update(Counts(seen=4, prompt_tokens=800, planned_tokens=400, evaluated_tokens=400, done=4))
        time.sleep(0.25)
    text = terminal.getvalue()
    drawn = [part for part in text.split("\r") if part.strip()]
    assert any(line.startswith("judging ") and "| 2/4 judgments  0:00 left  " in line for line in drawn)
    assert any(line.startswith("comparing  0:00") for line in drawn)
    assert "A line of its own.\n" in text and text.count("\n") == 1
    assert max(len(line.rstrip("\n")) for line in drawn) <= 80 and "\x1b" not in text
    assert text.endswith("\r") and not text.rsplit("\r", 2)[1].strip()  # the last thing drawn is blank


def test_the_line_is_cleared_when_the_work_is_interrupted(monkeypatch):
    terminal = as_terminal(monkeypatch)
    with pytest.raises(KeyboardInterrupt), show_stage("loading model.gguf"):
        time.sleep(0.15)
        raise KeyboardInterrupt
    assert "loading model.gguf  0:00" in terminal.getvalue() and terminal.getvalue().endswith("\r")
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]


def test_quick_work_draws_nothing(monkeypatch):
    terminal = as_terminal(monkeypatch)
    with show_stage("loading model.gguf"), show_progress(1) as update:
        update(Counts(seen=1, done=1))
    assert terminal.getvalue() == ""


def test_elsewhere_plain_lines_come_ever_more_rarely(monkeypatch, capsys):
    monkeypatch.setattr(shown, "FIRST_LINE", 0.1)
    monkeypatch.setattr(shown, "MOST_BETWEEN", 0.2)
    with show_steps("measuring") as update:
        update(1, 4)
        time.sleep(0.75)  # lines after 0.1, 0.3, 0.5 and 0.7 seconds
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 4 and lines[0] == "measuring: 25%, 1/4  0:00 left"


def test_quiet_leaves_errors_and_the_result(run, tiny_model, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"id": "a", "response": "One."}\n{"id": "b", "response": ""}\n')
    words = ("score", "in.jsonl", "-m", tiny_model, "-r", "good.toml", "-t", 1, "--no-guard")
    loud, quiet = run(*words), run(*words, "--quiet")
    assert quiet.stdout == loud.stdout and quiet.exit_code == loud.exit_code == 1
    assert quiet.stderr == "".join(line for line in loud.stderr.splitlines(True) if line.startswith("Error: "))
    assert quiet.stderr.count("\n") == 1 < loud.stderr.count("\n")
    assert run("score", "missing.jsonl", "-q").stderr.startswith("Error: missing.jsonl")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05")])
def test_times_are_written_as_a_clock_shows_them(seconds, text):
    assert clock(seconds) == text


def test_a_status_without_a_share_is_a_plain_line_too():
    assert Status("loading model.gguf", detail="0:12").line == "loading model.gguf: 0:12"


def test_a_terminal_that_does_not_tell_its_size_gets_the_line_too(monkeypatch):
    """A new pseudo-terminal has no rows and no columns, as those of `docker run -t` and `script` have in a build."""
    ours, theirs = pytest.importorskip("pty").openpty()
    with open(theirs, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(shown, "REDRAW", 0.05)
        with shown.shown(lambda: Status("judging", 0.4, "0:09 left")):
            time.sleep(0.3)
        stream.flush()
        said = os.read(ours, 4096).decode()
    os.close(ours)
    assert "judging  40% |" in said and "0:09 left" in said
