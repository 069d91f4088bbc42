"""Signals, full disks, lost files and other misfortunes: what was done stays done, outputs are complete or absent."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="limits and signals of POSIX")
ROOT = Path(__file__).resolve().parents[2]
ITEMS = 120
PATIENCE = 300


class Run:
    """A folder with items, a rubric and a model; `start` begins a run of score in it."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        rows = (json.dumps({"id": i, "response": f"number {i}"}) + "\n" for i in range(ITEMS))
        (folder / "in.jsonl").write_text("".join(rows))
        (folder / "r.toml").write_text('scale = "1-5"\ncriterion = "Good?"\ntemplate = "{sections} {criterion}"\n')

    def start(
        self,
        *arguments: object,
        output: object = "out.jsonl",
        store: object = "s.sqlite",
        limit: int = 0,
        code: str = "",
    ):
        """score with a store and an output (None: stdout); limit: of the size of files; code: runs first."""
        command = ["score", "in.jsonl", "-m", self.model, "-r", "r.toml", "-b", "64", "-ub", "64", "-t", "1"]
        command += [*(["-o", output] if output else []), *(["--store", store] if store else ["--no-store"]), *arguments]
        return self.command(*command, limit=limit, code=code)

    def command(self, *arguments: object, limit: int = 0, code: str = "") -> subprocess.Popen:
        """Any command of the program."""
        program = f"import sys; sys.argv[0] = 'lager-lite'\n{code}\nfrom lager_lite.cli import main; main(prog_name='lager-lite')"
        return subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=self.folder,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "LAGER_LITE_STORE": str(self.folder / "default.sqlite"),
                "LAGER_LITE_GUARD": "off",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None,
        )

    def left(self) -> list[str]:
        """Outputs in the folder, the hidden ones that are written beside included."""
        return sorted(p.name for p in self.folder.iterdir() if re.match(r"\.?out\.", p.name))

    def stored(self, store: object = "s.sqlite") -> int:
        """Readings in a store."""
        path = self.folder / str(store)
        if not path.exists():
            return 0
        with sqlite3.connect(path, timeout=60) as db:
            found = db.execute("SELECT count(*) FROM sqlite_master WHERE name='readings'").fetchone()[0]
            count = db.execute("SELECT count(*) FROM readings").fetchone()[0] if found else 0
        db.close()
        return count

    def wait_for(self, process: subprocess.Popen, count: int, store: object = "s.sqlite") -> None:
        """Return when a running process has stored that much."""
        end = time.monotonic() + PATIENCE
        while self.stored(store) < count:
            assert process.poll() is None and time.monotonic() < end, process.stderr.read()
            time.sleep(0.01)


def done(process: subprocess.Popen) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a process that ends by itself."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def from_store(text: str) -> int:
    return int(re.search(r"(\d+) from the store", text).group(1))


def errors(text: str) -> list[str]:
    """The lines that tell of an error; there must be nothing like a traceback."""
    assert "Traceback" not in text and "Exception ignored" not in text, text
    return [line for line in text.splitlines() if line.startswith(("Error: ", "Try: "))]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A random llama in Q4_1: a prompt's sums do not depend on what else is in its batch. In float32
    they do, in the last digit, and a resumed run has other batches."""
    from tests.model_files.tiny import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("model") / "llama.gguf", "llama", ftype="Q4_1")


@pytest.fixture(scope="module")
def expected(tmp_path_factory, model) -> bytes:
    """The output of a run that nothing disturbs."""
    run = Run(tmp_path_factory.mktemp("undisturbed"), model)
    code, _, err = done(run.start(store=None))
    assert code == 0, err
    return (run.folder / "out.jsonl").read_bytes()


@pytest.fixture
def run(tmp_path, model) -> Run:
    return Run(tmp_path, model)


@pytest.fixture
def disk(tmp_path):
    """A file system of 400 KB at tmp_path/disk; `mount` called on it changes it."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options: str) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(folder)], check=True, capture_output=True
        )

    try:
        mount("size=400k")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems cannot be mounted here")
    yield folder, mount
    subprocess.run(["umount", "-l", str(folder)], check=True)


def finishes(run: Run, expected: bytes, at_least: int, **where: object) -> None:
    """A further run loses nothing of what was stored, and ends as if nothing had been."""
    kept = run.stored(where.get("store", "s.sqlite"))
    assert kept >= at_least
    code, _, err = done(run.start(**where))
    assert code == 0, err
    assert from_store(err) == kept
    assert (run.folder / str(where.get("output", "out.jsonl"))).read_bytes() == expected


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_first_signal_lets_the_batch_be_stored_and_the_run_be_resumed(run, expected, number, code):
    process = run.start()
    run.wait_for(process, 10)
    process.send_signal(number)
    got, _, err = done(process)
    assert got == code, err
    assert f"Stopped by {number.name}. What is in the store is kept" in err
    assert run.left() == [] and 10 <= run.stored() < ITEMS
    finishes(run, expected, 10)


def test_an_output_that_does_not_fit_is_absent_and_the_readings_are_kept(run, expected):
    code, _, err = done(run.start())
    assert code == 0, err
    (run.folder / "out.jsonl").unlink()
    code, _, err = done(run.start("--per-layer", limit=34_000))
    assert code == 1 and errors(err) == [
        "Error: out.jsonl: cannot write: File too large",
        "Try: choose another place",
    ]
    assert run.left() == []
    finishes(run, expected, ITEMS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "l.jsonl", "--kind", "full", "-o", "out.json"),
        ("eval", "l.jsonl", "--kind", "uniform", "--json=out.json"),
        ("states", "in.jsonl", "-o", "out.npz"),
        ("data", "convert", "in.jsonl", "-o", "out.csv"),
        ("rank", "l.jsonl", "-o", "out.csv"),
    ],
    ids=lambda a: a[0],
)
def test_every_file_that_does_not_fit_is_absent(run, arguments):
    lines = (
        json.dumps(
            {"id": i, "instruction": f"a {i // 2}", "response": f"text {i}", "prompt": f"p {i}", "score": 1 + i % 5}
        )
        for i in range(40)
    )
    (run.folder / "l.jsonl").write_text("\n".join(lines))
    if arguments[0] == "states":
        (run.folder / "in.jsonl").write_text("\n".join(json.dumps({"prompt": f"p {i}"}) for i in range(20)))
    model = ["-m", run.model, "-t", 1] if arguments[0] != "data" else []
    judge = ["-r", "r.toml", "--no-store"] if arguments[0] in ("fit", "eval", "rank") else []
    before = {p.name for p in run.folder.iterdir()}
    code, _, err = done(run.command(*arguments, *model, *judge, limit=1000))
    assert code == 1, err
    error, hint = errors(err)
    assert "out." in error and "File too large" in error and len(hint) > len("Try: ")
    assert {p.name for p in run.folder.iterdir()} == before
    code, _, err = done(run.command(*arguments, *model, *judge))
    assert code == 0 and len(run.left()) == 1, err


def test_a_full_stdout_is_one_clear_error(run):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "lager_lite", "data", "convert", "in.jsonl"],
            cwd=run.folder,
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
    assert process.returncode == 1
    assert errors(process.stderr)[0] == "Error: stdout: cannot write: No space left on device"


def test_a_store_that_may_not_grow_keeps_what_it_has(run, expected):
    code, _, err = done(run.start(output=None, limit=100_000))
    assert code == 1, err
    error, hint = errors(err)
    assert error == "Error: the store s.sqlite cannot be used: disk I/O error" and "--store PATH" in hint
    finishes(run, expected, 5)


def test_a_full_disk_under_store_and_output_loses_nothing(run, expected, disk):
    folder, mount = disk
    filler = folder / "filler"
    filler.write_bytes(bytes(300_000))
    code, _, err = done(run.start(output="disk/out.jsonl", store="disk/s.sqlite"))
    assert code == 1, err
    error, hint = errors(err)
    assert error.startswith("Error: the store disk/s.sqlite cannot be used: d") and hint.startswith("Try: ")
    assert sorted(p.name for p in folder.iterdir() if "out" in p.name) == []
    filler.unlink()
    mount("remount", "size=20m")
    finishes(run, expected, 1, output="disk/out.jsonl", store="disk/s.sqlite")


def test_a_read_only_disk_is_one_clear_error(run, expected, disk):
    folder, mount = disk
    code, _, err = done(run.start("-n", 30, output="part.jsonl", store="disk/s.sqlite"))
    assert code == 0, err
    mount("remount", "ro")
    code, _, err = done(run.start(store="disk/s.sqlite"))
    assert code == 1 and run.left() == []
    error, hint = errors(err)
    assert error.startswith("Error: the store disk/s.sqlite cannot be used: ") and "writable" in hint, err
    code, _, err = done(run.start(output="disk/out.jsonl"))
    assert code == 1 and errors(err)[0] == "Error: disk/out.jsonl: cannot write: Read-only file system"
    mount("remount", "rw", "size=20m")
    finishes(run, expected, 30, store="disk/s.sqlite")


@pytest.mark.parametrize("gone", ["file", "folder"])
def test_a_store_that_vanishes_stops_the_run_at_the_next_batch(run, expected, gone):
    folder = run.folder / "place"
    process = run.start(store="place/s.sqlite")
    run.wait_for(process, 5, "place/s.sqlite")
    if gone == "folder":
        folder.rename(run.folder / "elsewhere")
    else:
        (folder / "s.sqlite").unlink()
    code, _, err = done(process)
    assert code == 1, err
    assert errors(err)[0] == "Error: the store place/s.sqlite is gone: it was deleted or replaced while it was in use"
    assert run.left() == []
    if gone == "folder":
        (run.folder / "elsewhere").rename(folder)
    finishes(run, expected, 5 if gone == "folder" else 0, store="place/s.sqlite")


def test_items_that_vanish_are_one_clear_error_and_what_was_read_is_kept(run, expected):
    """The items are read a second time when the model is loaded."""
    text = (run.folder / "in.jsonl").read_bytes()
    delete = "import os\nimport lager_lite.cli.commands.score as s\nopen_judge = s.open_judge\n"
    delete += "def late(*a, **k):\n    os.unlink('in.jsonl')\n    return open_judge(*a, **k)\ns.open_judge = late\n"
    code, _, err = done(run.start(code=delete))
    assert code == 1 and errors(err)[0] == "Error: in.jsonl: cannot be read again: No such file or directory"
    (run.folder / "in.jsonl").write_bytes(text)
    finishes(run, expected, 0)


def test_processes_on_one_new_store_all_end_well_and_store_each_reading_once(run, expected):
    processes = [run.start(output=f"out.{n}.jsonl") for n in range(4)]
    for n, process in enumerate(processes):
        code, _, err = done(process)
        assert code == 0, err
        assert (run.folder / f"out.{n}.jsonl").read_bytes() == expected
    assert run.stored() == ITEMS
    finishes(run, expected, ITEMS)


def test_a_clock_that_jumps_changes_nothing(run, expected):
    """The time of day moves by up to three years, either way, whenever it is asked for."""
    jumping = "import time, random\nrng, real = random.Random(0), time.time\ntime.time = lambda: real() + rng.uniform(-1e8, 1e8)\n"
    process = run.start(code=jumping)
    run.wait_for(process, 10)
    process.send_signal(signal.SIGKILL)
    done(process)
    for path in run.folder.iterdir():
        os.utime(path, (4e9, 4e9))
    kept = run.stored()
    code, _, err = done(run.start(code=jumping))
    assert code == 0, err
    assert from_store(err) == kept >= 10
    assert (run.folder / "out.jsonl").read_bytes() == expected


def test_a_context_without_memory_is_one_clear_error_and_costs_no_reading(run, expected):
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))\n"
    too_much = subprocess.run(
        [sys.executable, "-c", limited + "import mmap\nmmap.mmap(-1, 4 * 2**30)"], stderr=subprocess.DEVNULL
    )
    if too_much.returncode == 0:
        pytest.skip("nothing enforces a limit of memory here, as in an emulated process")
    code, _, err = done(run.start("-n", 20, output="part.jsonl"))
    assert code == 0, err
    code, _, err = done(run.start("-c", 8_000_000, code=limited))
    assert code == 1, (code, err)
    error, hint = errors(err)
    assert error.startswith("Error: no context of 8000") and "smaller -c" in hint
    assert run.left() == []
    finishes(run, expected, 20)
