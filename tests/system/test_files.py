"""Files are whole or as they were, and one error says that a file cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lager_lite.errors import OutputError
from lager_lite.system.files import check_writable, write_beside

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300


def test_a_file_that_cannot_be_written_is_one_error(tmp_path):
    with pytest.raises(OutputError) as caught:
        write_beside(tmp_path / "no" / "o.txt", lambda file: file.write("x"), text=True)
    assert caught.value.message == f"{tmp_path}/no/o.txt: cannot write: No such file or directory"
    assert caught.value.hint == "choose another place"
    with pytest.raises(OutputError, match="is a folder, expected a file to write"):
        write_beside(tmp_path, lambda file: file.write("x"), text=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    """Renaming a file over a pipe, or over /dev/null, would replace it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_beside(pipe, lambda file: file.write(b"whole"))
        assert os.read(reader, 100) == b"whole"
    finally:
        os.close(reader)
    assert pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be deleted")
def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    target = tmp_path / "a[1].jsonl"
    program = (
        "import os, sys, signal\nfrom lager_lite.system.files import write_beside\n"
        "def write(file):\n    file.write(b'half')\n    file.flush()\n    print('writing', flush=True)\n    sys.stdin.readline()\n"
        "write_beside(sys.argv[1], write)\n"
    )

    def writer() -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(target)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "writing\n"
        return process

    killed, living = writer(), writer()
    killed.kill()
    killed.wait()
    assert len(list(tmp_path.iterdir())) == 2
    write_beside(target, lambda file: file.write(b"whole"))
    (left,) = [p for p in tmp_path.iterdir() if p != target]
    assert left.read_bytes() == b"half" and target.read_bytes() == b"whole"
    living.communicate("\n", timeout=PATIENCE)
    assert living.returncode == 0 and target.read_bytes() == b"half" and list(tmp_path.iterdir()) == [target]
    for stream in (killed.stdin, killed.stdout):
        stream.close()


@pytest.mark.parametrize("kind", ["a database", "a database in use", "a model"])
def test_neither_a_database_nor_a_model_is_overwritten(tmp_path, kind):
    path = tmp_path / "readings.sqlite"
    path.write_bytes(
        {"a database": b"SQLite format 3\0...", "a database in use": b"", "a model": b"GGUF\3\0\0\0"}[kind]
    )
    if kind == "a database in use":
        (tmp_path / "readings.sqlite-wal").touch()
    before = path.read_bytes()
    said = "is a model file" if kind == "a model" else "is a database"
    for write in (check_writable, lambda path: write_beside(path, lambda file: file.write("x"), text=True)):
        with pytest.raises(OutputError, match=f"readings.sqlite: {said}"):
            write(path)
    assert path.read_bytes() == before
