"""Weeks of work by volume: many tiny items and a process killed every few thousand, with nothing lost or doubled.

    python -m tests.measure.volume --items 200000

The model's arithmetic is faked (states follow from the prompt's tokens), and everything else is the program itself. Its
command line scores the items in files of --file items with one store, and is started as often as each file takes. Then
one process scores all of them from that store, and another evaluates all of them again without being killed: the two
outputs must be the same bytes, and the memory must not grow with the number of items.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
GROUP = 32
CHILD = "--child"


@dataclass(frozen=True)
class Outcome:
    """items: scored in the end; kills: processes killed in the middle; redone: readings that were
    evaluated although they had been stored; missing, doubled: items without a row, or with more than one;
    same: the output is that of a run without kills; store_mb: size of the store; memory: by pass,
    (items done, resident MB) early and at its end; seconds: wall time."""

    items: int
    kills: int
    redone: int
    missing: int
    doubled: int
    same: bool
    store_mb: float
    memory: dict[str, tuple[tuple[int, float], tuple[int, float]]]
    seconds: float

    def lines(self) -> list[str]:
        """What happened, in words."""
        told = [
            f"{self.items} items in {self.seconds:.0f} s, {self.kills} times killed: {self.missing} lost, {self.doubled} doubled, "
            f"{self.redone} evaluated again after they were stored",
            f"output the same bytes as without kills: {'yes' if self.same else 'NO'}; store {self.store_mb:.0f} MB",
        ]
        return told + [
            f"memory, {name}: {early[1]:.0f} MB after {early[0]} items, {late[1]:.0f} MB after {late[0]}"
            for name, (early, late) in self.memory.items()
        ]


class FakeContext:
    """In place of a context: states that follow from the tokens, in groups of GROUP prompts."""

    longest = 10**9

    def __init__(self, n_states: int, n_embd: int, n_vocab: int) -> None:
        rng = np.random.default_rng(0)
        self.base = rng.standard_normal((2, n_states, n_embd)).astype(np.float32)
        self.logits = rng.standard_normal(n_vocab).astype(np.float32)

    def evaluate(self, prompts: Sequence[np.ndarray], *, max_state: int | None = None) -> Iterator[object]:
        from lager_lite.llama.context import Group

        for start in range(0, len(prompts), GROUP):
            part = range(start, min(start + GROUP, len(prompts)))
            turn = np.array([zlib.crc32(prompts[i].tobytes()) % 9973 / 9973 for i in part], dtype=np.float32)
            states = self.base[0] + turn[:, None, None] * self.base[1]
            yield Group(
                tuple(part), states, None, np.tile(self.logits, (len(part), 1)), sum(len(prompts[i]) for i in part)
            )

    def work(self, prompts: Sequence[np.ndarray]) -> int:
        """The tokens of the prompts, none of which are shared."""
        return sum(map(len, prompts))

    def close(self) -> None:
        """Nothing is held."""


def child(arguments: Sequence[str]) -> None:
    """The program with the model faked behind the load's own check."""
    from lager_lite.cli import main as program
    from lager_lite.judging.reader import Reader

    def context(reader: Reader, _longest: int) -> FakeContext:
        if not isinstance(reader._context, FakeContext):
            backbone = reader._backbone
            reader._context = FakeContext(reader.n_states, backbone.n_embd, backbone.n_vocab)  # type: ignore[assignment]
        return reader._context  # type: ignore[return-value]

    Reader._context_for = context  # type: ignore[method-assign,assignment]
    program(list(arguments), prog_name="lager-lite")


class Volume:
    """The files of a run in a folder."""

    def __init__(self, folder: Path, items: int, per_file: int) -> None:
        from tests.model_files.tiny import write_tiny_model

        self.folder, self.items = folder, items
        write_tiny_model(folder / "m.gguf", "llama", n_blocks=2)
        (folder / "r.toml").write_text('scale = "1-5"\ncriterion = "Good?"\ntemplate = "{sections} {criterion}"\n')
        rows = [json.dumps({"id": i, "response": f"number {i}"}) + "\n" for i in range(items)]
        (folder / "all.jsonl").write_text("".join(rows))
        self.files = []
        for start in range(0, items, per_file):
            self.files.append(f"{start}.jsonl")
            (folder / f"{start}.jsonl").write_text("".join(rows[start : start + per_file]))

    def start(self, name: str, store: str) -> subprocess.Popen:
        """Begin to score a file."""
        command = [
            sys.executable,
            "-m",
            "tests.measure.volume",
            CHILD,
            "score",
            name,
            "-m",
            "m.gguf",
            "-r",
            "r.toml",
            "-t",
            "1",
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "LAGER_LITE_GUARD": "off"}
        return subprocess.Popen(
            [*command, "--store", store, "-o", f"out-{store}-{name}"],
            cwd=self.folder,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stored(self, store: str) -> int:
        """Readings in a store; rows are never deleted, so the last one's number is their count."""
        if not (self.folder / store).exists():
            return 0
        db = sqlite3.connect(self.folder / store, timeout=60)
        try:
            found = db.execute("SELECT count(*) FROM sqlite_master WHERE name='readings'").fetchone()[0]
            return (db.execute("SELECT max(rowid) FROM readings").fetchone()[0] or 0) if found else 0
        finally:
            db.close()

    def output(self, name: str, store: str) -> Path:
        return self.folder / f"out-{store}-{name}"


def killed_until_done(volume: Volume, name: str, every: int, rng: random.Random) -> tuple[int, int]:
    """Score one file, killed again and again; (kills, readings evaluated again)."""
    kills = 0
    while True:
        before = volume.stored("killed")
        target = before + rng.randint(every // 2, every * 3 // 2)
        process = volume.start(name, "killed")
        seen = before
        while process.poll() is None and seen < target:
            time.sleep(0.01)
            now = volume.stored("killed")
            assert now >= seen, f"{seen - now} stored readings are gone"
            seen = now
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, text = process.communicate()
        assert volume.stored("killed") >= seen, "a kill lost what was stored"
        if process.returncode == -signal.SIGKILL:
            continue
        assert process.returncode == 0, text
        served = int(re.search(r"(\d+) from the store", text).group(1))
        # Files before this one are complete, so all readings beyond them are this file's.
        mine = before - sum(
            (volume.folder / f).read_bytes().count(b"\n") for f in volume.files[: volume.files.index(name)]
        )
        return kills, mine - served


def memory_of(volume: Volume, name: str, store: str) -> tuple[tuple[int, float], tuple[int, float]]:
    """Score a file without a kill; (items done, resident MB) at the first tenth and at the end.

    Items done are the rows in the output so far.
    """
    process = volume.start(name, store)
    points: list[tuple[int, float]] = []
    while process.poll() is None:
        time.sleep(0.1)
        try:
            size = sum(p.stat().st_size for p in volume.folder.glob(f".out-{store}-{name}.*.part"))
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue
        found = re.search(r"VmRSS:\s+(\d+)", status)
        if size and found:
            points.append((size, int(found.group(1)) / 1024))
    _, text = process.communicate()
    assert process.returncode == 0, text
    whole = volume.output(name, store).stat().st_size
    row = whole / volume.items
    points = points or [(0, float("nan"))]  # over before it was looked at
    early = next((p for p in points if p[0] >= whole / 10), points[-1])
    return (round(early[0] / row), early[1]), (round(points[-1][0] / row), points[-1][1])


def run(folder: Path, items: int, per_file: int, every: int, seed: int = 0) -> Outcome:
    """The whole run."""
    begin = time.monotonic()
    rng = random.Random(seed)
    volume = Volume(folder, items, per_file)
    kills = redone = 0
    for name in volume.files:
        killed, again = killed_until_done(volume, name, every, rng)
        kills, redone = kills + killed, redone + again
        print(
            f"{name}: {volume.stored('killed')} stored, {kills} kills, {time.monotonic() - begin:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    db = sqlite3.connect(volume.folder / "killed")
    assert db.execute("SELECT count(*), max(rowid) FROM readings").fetchone() == (items, items)
    db.close()
    memory = {
        "from the store": memory_of(volume, "all.jsonl", "killed"),
        "evaluated": memory_of(volume, "all.jsonl", "calm"),
    }
    parts = b"".join(volume.output(name, "killed").read_bytes() for name in volume.files)
    ids = [json.loads(line)["id"] for line in parts.splitlines()]
    same = parts == volume.output("all.jsonl", "killed").read_bytes() == volume.output("all.jsonl", "calm").read_bytes()
    size = (volume.folder / "killed").stat().st_size / 1e6
    left = [p.name for p in folder.iterdir() if p.name.endswith(".part")]
    assert left == [], f"killed runs left {left}"
    missing = items - len(set(ids))
    return Outcome(
        items, kills, redone, missing, len(ids) - len(set(ids)), same, size, memory, time.monotonic() - begin
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Score many items through many kills.")
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--file", type=int, default=20_000, help="items per file")
    parser.add_argument("--every", type=int, default=4000, help="readings between two kills, about")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), args.items, args.file, args.every, args.seed)
    print("\n".join(outcome.lines()))
    sys.exit(0 if outcome.same and not (outcome.missing or outcome.doubled or outcome.redone) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        child(sys.argv[2:])
    else:
        main()
