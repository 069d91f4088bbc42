"""Tests on a processor that this machine does not have, under QEMU. Slow, and by hand only. Run from a checkout:

    apt-get install g++-aarch64-linux-gnu qemu-user-static
    python -m tests.emulated.run arm --sdist llama_cpp_python-0.3.36.tar.gz --folder DIR
    python -m tests.emulated.run riscv --sdist ... --folder DIR --kernels   # clang-19 g++-riscv64-linux-gnu
    python -m tests.emulated.run arm --sdist ... --folder DIR -- tests/llama/test_unpack.py -k Q4_K

The patched library is compiled for the processor, Debian's Python for it is unpacked into the folder, and the rooms llama
and judging and the oracle are tested there on tiny models, with fewer repetitions (tests/effort.py). What was made is
kept in the folder, so a second call compiles only what has changed. The exit code is pytest's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lager_lite.errors import LagerError

from .root import environment, make_environment, unpack_root
from .targets import TARGETS, cross_compile

_CHECKOUT = Path(__file__).resolve().parents[2]
# Cheap files come first, so that a run that is stopped has counted most; those at the end start many processes.
_FILES = """
judging: tokens store judgments quality judged_rows states given by_turn basis judge feedback forgery newsroom headcheck
oracle: golden
llama: schedule placing library instructions owned patching ways ahead context company copies backbone native_tap
llama: unpack attention generate proof hostile_files rpc backend_build
judging: feedback_commands misuse stopping faults
"""
TESTS = tuple(
    f"tests/{room}/test_{name}.py"
    for room, _, names in (line.partition(":") for line in _FILES.split("\n") if line)
    for name in names.split()
)


def main() -> int:
    """Command line: see above. What cannot be used ends it with one line and code 1, or 2 for wrong options."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="python -m tests.emulated.run TARGET --sdist FILE --folder DIR [OPTIONS] [-- ARGUMENTS OF PYTEST]",
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--sdist", type=Path, required=True, help="the source distribution of llama-cpp-python")
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept, a gigabyte")
    parser.add_argument("--jobs", type=_positive, default=2, help="compilers that run at a time")
    parser.add_argument("--only-compile", action="store_true", help="run nothing")
    parser.add_argument("--kernels", action="store_true", help="compile the CPU's kernels alone and run nothing")
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    args = parser.parse_args(given[:end])
    if not args.sdist.is_file():
        parser.error(f"--sdist: there is no file {args.sdist}")
    try:
        return run(args, given[end + 1 :])
    except (LagerError, RuntimeError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"Error: {error.cmd[0]} ended with code {error.returncode}; what it said stands above", file=sys.stderr)
    return 1


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def run(args: argparse.Namespace, tests: Sequence[str]) -> int:
    """Compile, and run pytest with these arguments, all of TESTS where there are none; return the exit code."""
    target, folder = TARGETS[args.target], args.folder.resolve()
    own = folder / args.target
    own.mkdir(parents=True, exist_ok=True)
    libraries = cross_compile(target, args.sdist, own, args.jobs, goal="ggml-cpu" if args.kernels else "llama")
    if args.only_compile or args.kernels:
        return 0
    root = unpack_root(target, folder / target.debian)
    python = make_environment(target, root, own / "source", libraries, own)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not model", "--durations=10"]
    return subprocess.run([*command, *(tests or TESTS)], cwd=_CHECKOUT, env=environment()).returncode


if __name__ == "__main__":
    raise SystemExit(main())
