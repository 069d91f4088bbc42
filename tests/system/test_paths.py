"""The user's folders: one place for each kind of file, and one error where there is no home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lager_lite.errors import LagerError
from lager_lite.system import paths

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the names of folders differ by system")


@linux_only
@pytest.mark.parametrize(
    ("variables", "cache", "settings"),
    [
        ({}, "/H/.cache/lager-lite", "/H/.config/lager-lite"),
        ({"XDG_CACHE_HOME": "/C", "XDG_CONFIG_HOME": "/S"}, "/C/lager-lite", "/S/lager-lite"),
    ],
)
def test_folders_are_where_linux_has_them(monkeypatch, variables, cache, settings):
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/H", **variables}.items():
        monkeypatch.setenv(name, value)
    assert (paths.cache_base(), paths.settings_base()) == (Path(cache), Path(settings))
    assert paths.cache_base("llama.cpp") == Path(cache).parent / "llama.cpp"


def test_a_store_elsewhere_takes_nothing_else_with_it(monkeypatch, tmp_path):
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "x.sqlite"))
    assert paths.store_path() == tmp_path / "x.sqlite"
    for folder in (paths.copies_folder(), paths.loaded_folder()):
        assert tmp_path not in folder.parents


def test_a_user_without_a_home_is_one_clear_error(monkeypatch):
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(paths.platformdirs, "user_cache_path", lambda *_, **__: Path("~") / ".cache" / "lager-lite")
    with pytest.raises(LagerError, match="this user has no home folder"):
        paths.cache_base()


@linux_only
def test_a_process_of_an_unknown_user_makes_no_folder_called_tilde(tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can become a user without an account")
    code = (
        f"import os, sys; sys.path[:0] = {sys.path!r}; from lager_lite.system import cache_base; "
        "os.setgid(54321); os.setuid(54321); cache_base()"
    )
    clean = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    tmp_path.chmod(0o777)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert "LagerError: this user has no home folder" in done.stderr
    assert list(tmp_path.iterdir()) == []
