"""Signals stop a run at once, or when the current batch is stored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lager_lite.system import interrupts
from lager_lite.system.interrupts import watching

pytest.importorskip("resource", reason="signals of POSIX")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300
WAIT = "import hashlib, sys\nprint('ready', flush=True)\nhashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)\n"


@pytest.mark.parametrize(
    ("block", "signals", "said"),
    [
        ("watching()", 1, "Stopped immediately"),
        (
            "watching(), signals_held()",
            2,
            "Stopping: the current batch is finished and stored first; a second signal stops immediately.",
        ),
    ],
    ids=["one outside a batch", "two inside"],
)
def test_compiled_code_that_does_not_return_is_left_within_seconds(block, signals, said):
    """The digest takes minutes and lets Python's signal handlers wait all that time."""
    program = f"from lager_lite.system.interrupts import signals_held, watching\nwith {block}:\n" + "".join(
        f"    {line}\n" for line in WAIT.splitlines()
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    for _ in range(signals):
        time.sleep(0.5)
        assert process.poll() is None, "it must not have ended before the last signal"
        process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and said in err, err
    assert time.monotonic() - begin < 30


def test_one_signal_inside_a_batch_waits_for_its_end():
    program = (
        "import os, signal, time\nfrom lager_lite.system.interrupts import Interrupted, signals_held, watching\n"
        "try:\n    with watching():\n        with signals_held():\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n            time.sleep(1.5)\n            print('stored')\n"
        "        print('never')\nexcept Interrupted as error:\n    print(error.name, error.exit_code)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "stored\nSIGTERM 143\n"
    assert (
        found.stderr
        == "\nStopping: the current batch is finished and stored first; a second signal stops immediately.\n"
    )


def test_handlers_are_as_before_when_the_block_has_ended():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with watching(), watching():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def ran(program: str) -> list[str]:
    """What a program prints to stdout and stderr, line by line; it must end with exit code 0."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("block", ["signals_held", "signals_deferred"])
def test_a_program_s_own_handlers_are_called_when_the_block_has_ended(block):
    """Nested blocks are one; the handlers are the program's again, and each is called for what came."""
    found = ran(f"""
        import os, signal
        from lager_lite.system import {block}
        signal.signal(signal.SIGINT, signal.default_int_handler)
        own = lambda number, frame: print("own", number == signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, own)
        try:
            with {block}():
                with {block}():
                    for number in (signal.SIGUSR1, signal.SIGINT, signal.SIGINT):
                        os.kill(os.getpid(), number)
                    print("inside")
                print("still inside")
            print("never")
        except KeyboardInterrupt:
            print("stopped")
        print(signal.getsignal(signal.SIGUSR1) is own, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """)
    assert found == ["inside", "still inside", "own True", "stopped", "True True"]


def test_a_second_signal_does_not_disturb_the_cleaning_up_of_the_first():
    found = ran("""
        import os, signal
        from lager_lite.system import Interrupted, watching
        try:
            with watching():
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                    print("never")
                finally:
                    os.kill(os.getpid(), signal.SIGTERM)
                    print("cleaned up")
        except Interrupted as error:
            print(error.exit_code)
    """)
    assert found == ["cleaned up", "130"]


def test_nothing_is_raised_in_a_callback_of_compiled_code():
    """Python runs handlers in callbacks, where an exception is printed, and lost with the callback's answer."""
    found = ran("""
        import ctypes, os, signal
        from lager_lite.system import Interrupted, signals_deferred, watching

        @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        def compare(_a, _b):
            os.kill(os.getpid(), signal.SIGINT)
            calls.append(1)
            return 1

        def sort():
            with signals_deferred():
                ctypes.CDLL(None).qsort((ctypes.c_int * 4)(4, 3, 2, 1), 4, 4, compare)
                print(len(calls) > 2)
            print("never")

        signal.signal(signal.SIGINT, signal.default_int_handler)
        for block in (watching, lambda: open(os.devnull)):
            calls = []
            try:
                with block():
                    sort()
            except KeyboardInterrupt as error:
                print(type(error).__name__)
    """)
    assert found == ["True", "Interrupted", "True", "KeyboardInterrupt"]


def test_a_signal_while_a_module_is_imported_is_no_import_error(tmp_path):
    """Compiled modules turn whatever is raised while they begin into an ImportError, as this one does."""
    (tmp_path / "compiled.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    for _ in range(99): pass\n"
        "except BaseException:\n    raise ImportError('initialization failed') from None\n"
    )
    said = ran(
        f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from lager_lite.system import Interrupted, signals_deferred, watching
        try:
            with watching():
                import compiled
                print("imported")
                with signals_deferred():
                    pass
        except Interrupted as error:
            print(error.exit_code)
        """
    )
    assert said == ["imported", "130"]


def test_what_is_said_on_a_terminal_takes_the_place_of_the_bar_and_of_the_sign_of_ctrl_c(monkeypatch):
    written = []
    monkeypatch.setattr(os, "write", lambda stream, text: written.append((stream, text)))
    monkeypatch.setattr(os, "get_terminal_size", lambda stream: os.terminal_size((5, 9)))
    interrupts._say("Stop")
    monkeypatch.setattr(os, "get_terminal_size", lambda stream: os.dup(-1))  # as of a file, an OSError
    interrupts._say("Stop")
    assert written == [(2, b"\r    \rStop\n"), (2, b"\nStop\n")]
