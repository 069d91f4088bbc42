"""The program: `python -m lager_lite` and `lager-lite` are the same command line.

A run answers signals by itself (see `system.interrupts`). Before it begins and after it has ended there is nothing
to keep, and a traceback would tell nobody anything: the process ends with the exit code of the signal.
"""

from __future__ import annotations

import importlib
import os
import signal

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


def run() -> None:
    """Run the command line on this process's arguments, and exit."""
    for number in _NUMBERS:
        signal.signal(number, _stop)
    try:
        # Imported late, because importing takes long enough for somebody to stop it.
        streams = importlib.import_module(".cli.streams", __package__)
        streams.prepare_streams()
        with streams.stdout_watched():
            importlib.import_module(".cli", __package__).main(prog_name="lager-lite")
    finally:
        # The exit code is known; while Python ends, handlers would be taken away one by one.
        for number in _NUMBERS:
            signal.signal(number, signal.SIG_IGN)


def _stop(number: int, _frame: object) -> None:
    os.write(2, f"\nStopped by {signal.Signals(number).name}.\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    run()
