"""Files are whole or as they were, and one error says that a file cannot be written."""

from __future__ import annotations

import os

import pytest

from lager_lite.errors import OutputError
from lager_lite.system.files import write_beside


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
