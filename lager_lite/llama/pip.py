"""Run pip in a child process: its progress, its errors in words, and an end that leaves no compiler running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from ..errors import BackendError

COMPILER_HINT = (
    "install a C and C++ compiler: `apt install build-essential` on Debian and Ubuntu, `dnf install gcc-c++` on "
    "Fedora, `xcode-select --install` on macOS"
)

_LINES = 25
# Of the first errors of CMake and the compiler, which the lines of ninja and pip behind them would push out.
_BLOCKS, _BLOCK_LINES = 2, 8
_BEGINS = re.compile(r"CMake Error\b|\bfatal error: |: error: ")
_ENDS = re.compile(r"CMake |Call Stack|--|\*\*\*|ERROR|\[|ninja: |make")
_PATIENCE = 0.5  # seconds: a second after Ctrl-C this process is ended, too
_NINJA = re.compile(r"\[(\d+)/(\d+)\]")
_MAKE = re.compile(r"\[ *(\d+)%\]")
_NETWORK = ("Could not find a version", "No matching distribution", "NewConnectionError", "Could not fetch URL")
_CAUSES = {
    "no GPU was detected": "name the GPU to compile for, for instance CMAKE_ARGS=-DCMAKE_CUDA_ARCHITECTURES=90 for an H100 "
    "or H200, 89 for an RTX 40, 86 for an RTX 30",
    "CUDA::cublas": "install the whole CUDA toolkit: cuBLAS with its headers is missing (libcublas-dev on Debian and Ubuntu)",
    "CUDA Toolkit not found": "install the CUDA toolkit, and put its nvcc into PATH",
    "CMAKE_CUDA_COMPILER": "install the CUDA toolkit, and put its nvcc into PATH",
}
_COMPILER = ("CMAKE_CXX_COMPILER", "CMAKE_C_COMPILER", "No CMAKE_", "compiler not found")


def run_pip(
    arguments: Sequence[str],
    *,
    verbose: bool = False,
    environment: dict[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    finish: bool = False,
) -> None:
    """Run pip with these arguments.

    - verbose: whether its output is shown, on stderr, because stdout belongs to results.
    - environment: variables to set in addition to those of this process.
    - progress: called with the steps of a compilation that are done and with all of them. None: not followed.
    - finish: whether pip is left to end by itself where this call is interrupted, as an installation must. Otherwise
      it is ended with all of its children.

    Raises BackendError with the last lines of output where pip fails.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    # pip passes the compiler's output on only with -v.
    command += ["-v"] if verbose or progress else []
    last: deque[str] = deque(maxlen=_LINES)
    errors = FirstErrors()
    # A session of its own: Ctrl-C then reaches pip through this process alone, which ends every compiler.
    with subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            for line in process.stdout or ():
                last.append(line.rstrip()[:400])
                errors.take(line)
                if verbose:
                    sys.stderr.write(line)
                elif progress and (steps := steps_done(line)):
                    progress(*steps)
        except BaseException:
            if finish:
                # A pipe that nobody reads would end pip in the middle.
                for _ in process.stdout or ():
                    pass
            else:
                _end(process)
            raise
    if process.returncode:
        raise _failure(arguments[0], process.returncode, [] if verbose else errors.lines or list(last))


class FirstErrors:
    """The first errors of CMake and the compiler among lines of output; `lines`: what they say, without empty lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._blocks, self._left = 0, 0

    def take(self, line: str) -> None:
        """Look at the next line."""
        text = line.strip()[:400]
        if _BEGINS.search(text):
            self._blocks += 1
            self._left = _BLOCK_LINES if self._blocks <= _BLOCKS else 0
        elif _ENDS.match(text):
            self._left = 0
        if self._left and text:
            self.lines.append(text)
            self._left -= 1


def steps_done(line: str) -> tuple[int, int] | None:
    """Return (steps done, steps in all) of a line of ninja's or make's output; None for any other line."""
    if found := _NINJA.match(line.strip()):
        return int(found[1]), int(found[2])
    if found := _MAKE.match(line.strip()):
        return int(found[1]), 100
    return None


def _end(process: subprocess.Popen[str]) -> None:
    """End pip and its children: asked first, because ninja keeps its compilers in groups of their own and ends them
    itself when it is asked to stop; then forced."""
    if os.name != "posix":
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # All have ended.


def _failure(step: str, code: int, lines: Sequence[str]) -> BackendError:
    said = "\n".join(lines)
    if "No module named pip" in said:
        return BackendError(
            f"{sys.executable} has no pip", "run python -m ensurepip, or create the environment with pip"
        )
    hint = "-v shows everything that pip and the compiler print"
    if causes := [advice for words, advice in _CAUSES.items() if words in said]:
        hint = f"{causes[0]}; {hint}"
    elif any(words in said for words in _NETWORK):
        hint = "this step needs the network: try again when it is there"
    elif any(words in said for words in _COMPILER):
        hint = COMPILER_HINT
    return BackendError(f"pip {step} failed (exit code {code})" + (f"\n{said}" if said else ""), hint)
