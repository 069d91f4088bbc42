"""The command that tests other processors says in one line what it cannot use. Nothing is emulated here."""

from __future__ import annotations

import sys

import pytest

from tests.emulated import run


def ended(monkeypatch, capsys, *words):
    """The exit code and the last line on stderr."""
    monkeypatch.setattr(sys, "argv", ["run", *map(str, words)])
    monkeypatch.setattr("tests.emulated.targets.shutil.which", lambda name: f"/usr/bin/{name}")
    try:
        code = run.main()
    except SystemExit as error:
        code = error.code
    return code, capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"--sdist": "none.tar.gz"}, 2, "--sdist: there is no file"),
        ({"--sdist": "wrong.tar.gz"}, 1, "Error: "),
        ({"--folder": "wrong.tar.gz/below"}, 1, "Error: [Errno 20] Not a directory"),
        ({"--jobs": "0"}, 2, "argument --jobs: 0 is less than 1"),
        ({"--jobs": "x"}, 2, "argument --jobs: invalid"),
    ],
)
def test_what_cannot_be_used_is_one_line(change, code, said, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.tar.gz").write_bytes(b"no archive")
    words = {"--sdist": "wrong.tar.gz", "--folder": "made", **change}
    found, last = ended(monkeypatch, capsys, "arm", *(word for pair in words.items() for word in pair))
    assert found == code and said in last


def test_the_usage_shows_what_goes_to_pytest(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run", "--help"])
    with pytest.raises(SystemExit):
        run.main()
    assert "[-- ARGUMENTS OF PYTEST]" in capsys.readouterr().out.splitlines()[0]
