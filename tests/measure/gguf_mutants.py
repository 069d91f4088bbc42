"""What becomes of damaged GGUF files: a run over many that are made from sound ones with a fixed seed.

    python -m tests.measure.gguf_mutants --mutants 5000

Each mutant is opened. Where the preflight accepts it, a worker process loads it as the guard does, and then judges
with it. A worker that dies is noticed, counted and replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.model_files.mutants import KINDS, mutant, take_apart

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("llama", "qwen2", "gemma2", "phi3", "qwen3moe", "gptneox", "mamba", "gpt2")


def sound_models(folder: Path) -> dict[str, Path]:
    """A tiny sound model of every family."""
    from tests.model_files.tiny import write_tiny_model

    return {f: write_tiny_model(folder / f"{f}.gguf", f, n_blocks=1 if f != "gemma2" else 2) for f in FAMILIES}


@dataclass(frozen=True)
class Fate:
    """What became of one mutant. stage: the last one it reached ("preflight", "child", "judge",
    "done"); refused: the error that said so, "" for none; died: the signal's or code's name, "" for none."""

    seed: int
    kind: str
    what: str
    stage: str
    refused: str = ""
    died: str = ""

    @property
    def lost(self) -> bool:
        """Whether the user's own process would have died of it: in Python, or after the child was content."""
        return bool(self.died) and self.stage != "child"


def judge_twice(path: Path) -> None:
    """Judge two items, as a run does."""
    from lager_lite.judging.judge import Judge
    from lager_lite.records import Item

    texts = ("Done. " * 20, "")
    with Judge(path) as judge:
        list(judge.score([Item(str(i), {"instruction": "Do it.", "response": t}) for i, t in enumerate(texts)]))


def work(folder: Path, first: int, last: int) -> None:
    """The worker: one line before each step, so that its death shows where it was."""
    from lager_lite.backbones.model_file import open_model
    from lager_lite.errors import LagerError
    from lager_lite.llama.guard import try_model

    sources = [(take_apart(folder / f"{f}.gguf"), (folder / f"{f}.gguf").read_bytes()) for f in FAMILIES]
    path = folder / "mutant.gguf"
    steps = (
        ("preflight", lambda: open_model(path).head([1])),
        ("child", lambda: try_model(path)),
        ("judge", lambda: judge_twice(path)),
    )
    for seed in range(first, last):
        kind, what, data = mutant(*sources[seed % len(sources)], seed)
        path.write_bytes(data)
        say = {"seed": seed, "kind": kind, "what": f"{FAMILIES[seed % len(sources)]}: {what}"}
        refused = ""
        for stage, step in steps:
            print(json.dumps({**say, "stage": stage}), flush=True)
            try:
                step()
            except LagerError as error:
                refused = error.message
                break
        print(json.dumps({**say, "stage": stage if refused else "done", "refused": refused, "end": True}), flush=True)


def run(folder: Path, first: int, count: int, *, patience: float = 60) -> Iterator[Fate]:
    """The fate of `count` mutants, made in `folder`. A worker that dies, or is silent for `patience`
    seconds, is replaced by one that continues after that mutant."""
    sound_models(folder)
    last = first + count
    while first < last:
        fate: dict = {}
        for line in _worker(folder, first, last, patience):
            fate = line
            if fate.pop("end", False):
                yield Fate(**fate)
                first, fate = fate["seed"] + 1, {}
        if first < last:
            if not fate or "seed" not in fate:
                raise RuntimeError(f"the worker died before mutant {first}: {fate}")
            yield Fate(**fate)
            first = fate["seed"] + 1


def _worker(folder: Path, first: int, last: int, patience: float) -> Iterator[dict]:
    """The lines of one worker; where it dies, its last one again with `died`."""
    command = [sys.executable, __file__, "--work", str(folder), str(first), str(last)]
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1", "PYTHONPATH": str(ROOT)}
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True)
        assert process.stdout is not None
        # Starting Python on a busy machine is not the mutant's silence.
        watch = threading.Timer(10 * patience, process.kill)
        watch.start()
        line: dict = {}
        for raw in process.stdout:
            watch.cancel()
            watch = threading.Timer(patience, process.kill)
            watch.start()
            line = json.loads(raw)
            yield dict(line)
        watch.cancel()
        code = process.wait()
    if code:
        name = signal.Signals(-code).name if code < 0 else f"code {code}"
        said = (folder / "stderr").read_text(errors="replace").strip().splitlines()[-1:]
        line.pop("end", None)
        yield {**line, "died": f"{name}: {' '.join(said)[-160:]}"}


def table(fates: Sequence[Fate]) -> str:
    """Cases by kind: tried, refused by the preflight, refused by llama.cpp, died in the child, judged, lost."""
    head = ("kind", "tried", "preflight", "llama.cpp", "child died", "judged", "lost")
    lines = []
    for kind in (*KINDS, "all"):
        mine = [f for f in fates if kind in (f.kind, "all")]
        refused = Counter("preflight" if f.stage == "preflight" else "llama" for f in mine if f.refused)
        died, lost = sum(bool(f.died) and not f.lost for f in mine), sum(f.lost for f in mine)
        judged = sum(f.stage == "done" for f in mine)
        lines.append((kind, len(mine), refused["preflight"], refused["llama"], died, judged, lost))
    return "\n".join("  ".join(str(c).rjust(10) for c in line) for line in (head, *lines))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Count what becomes of damaged GGUF files.")
    parser.add_argument("--mutants", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--patience", type=float, default=60, help="seconds for one step of one mutant")
    parser.add_argument("--output", help="write every fate as JSON lines")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(Path(args.work[0]), int(args.work[1]), int(args.work[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        fates = list(run(Path(folder), args.first, args.mutants, patience=args.patience))
    if args.output:
        Path(args.output).write_text("".join(json.dumps(asdict(f)) + "\n" for f in fates), encoding="utf-8")
    print(table(fates))
    sys.exit(1 if any(f.lost for f in fates) else 0)


if __name__ == "__main__":
    main()
