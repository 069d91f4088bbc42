"""The token: kept for its user alone, and compared as a whole."""

from __future__ import annotations

import os

import pytest

from lager_lite.adapters import TOKEN_VARIABLE, find_token
from lager_lite.errors import LagerError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


def test_a_new_token_is_kept_for_its_user_alone_and_used_again(tmp_path):
    first, second = find_token(), find_token()
    assert first.new and not second.new
    assert (first.text, first.path) == (second.text, second.path)
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert len(first.text) >= 43
    assert find_token(tmp_path / "other").text != first.text


def test_the_environment_gives_one(monkeypatch, tmp_path):
    monkeypatch.setenv(TOKEN_VARIABLE, "x" * 16)
    assert (find_token().text, find_token().path) == ("x" * 16, None)
    assert find_token(tmp_path / "named").new


@pytest.mark.parametrize("text", ["", "short", "two words of a token", "é" * 20, "x" * 513])
def test_a_bad_token_is_refused(monkeypatch, tmp_path, text):
    monkeypatch.setenv(TOKEN_VARIABLE, text)
    with pytest.raises(LagerError, match="a token has 16 to 512"):
        find_token()
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(LagerError, match="a token has 16 to 512"):
        find_token(path)


def test_a_token_that_others_may_read_is_refused(tmp_path):
    path = find_token(tmp_path / "token").path
    path.chmod(0o640)
    with pytest.raises(LagerError, match="others may read the token in it") as caught:
        find_token(path)
    assert caught.value.hint == f"chmod 600 {path}"
    with pytest.raises(LagerError, match="is no regular file"):
        find_token(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(LagerError, match="cannot keep the token there: No such file"):
        find_token(tmp_path / "link")
    with pytest.raises(LagerError, match="cannot keep the token there: Not a directory"):
        find_token(path / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(LagerError, match="cannot keep the token there"):
        find_token(tmp_path / "token")


def test_only_the_whole_token_fits(tmp_path):
    token = find_token(tmp_path / "token")
    assert token.fits(f"Bearer {token.text}") and token.fits(f"bearer  {token.text} ")
    for header in (
        None,
        "",
        "Bearer ",
        token.text,
        f"Bearer {token.text[:-1]}",
        f"Bearer {token.text}x",
        f"Token {token.text}",
    ):
        assert not token.fits(header)
