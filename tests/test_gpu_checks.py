"""The checks of a GPU, which are run by hand: what they say without one, and where a build fails."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lager_lite.llama.library import load
from tests.gpu import check_cuda, check_metal


@pytest.mark.parametrize(("check", "name"), [(check_cuda, "CUDA"), (check_metal, "MTL")])
def test_without_the_device_nothing_is_compared(check, name, monkeypatch, capsys, tmp_path):
    """The CPU was compared with itself, and found to agree."""
    cpus = [device for device in load().devices() if device.kind == "CPU"]
    monkeypatch.setattr(load(), "devices", lambda: cpus)
    monkeypatch.setattr(sys, "argv", ["check", "--skip-build", "--json", str(tmp_path / "found.json")])
    with pytest.raises(SystemExit, match="nothing was compared"):
        check.main()
    assert f"FAIL the library has a {name} device" in capsys.readouterr().out
    assert f"the library has a {name} device" in json.loads((tmp_path / "found.json").read_text())["failures"]


@pytest.mark.parametrize("check", [check_cuda, check_metal])
def test_a_build_that_fails_ends_in_words(check, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["check"])
    failed = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(check_cuda.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(SystemExit, match="the library was not built, for the reason above"):
        check.main()


def test_a_dry_run_names_no_build(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check", "--dry"])
    check_cuda.build(check_cuda.parse(), ["--cuda"])
    assert capsys.readouterr().out == ""
