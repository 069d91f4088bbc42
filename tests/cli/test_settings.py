"""Defaults from a settings file: which file counts, what it may say, and what comes before it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click
import pytest

from lager_lite.cli import main
from lager_lite.cli.settings import OWN_ONLY, ConfigError, default_map, find_config, user_path

ROW = '{"id": "a", "response": "x"}\n{"id": "b", "response": "y"}\n'
RUBRIC = 'scale = "1-5"\ncriterion = "Good?"\ntemplate = "{sections} {criterion}"\n'


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a rubric, and a user with a settings folder of their own."""
    monkeypatch.delenv("LAGER_LITE_CONFIG")
    monkeypatch.delenv("LAGER_LITE_MODEL", raising=False)
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "s.sqlite"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "good.toml").write_text(RUBRIC)
    monkeypatch.chdir(work)
    user_path().parent.mkdir(parents=True)
    return work


@pytest.fixture
def run(place, invoke):
    return partial(invoke, stdin=ROW)


def test_the_folders_file_sets_defaults_and_the_command_line_comes_first(place, tiny_model, run):
    Path("lager-lite.toml").write_text(
        f'model = {json.dumps(str(tiny_model))}\nrubric = "good.toml"\nthreads = 1\n[score]\nlimit = 1\nper-layer = true\n'
    )
    done = run("score", "-")
    assert done.exit_code == 0, done.stderr
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["rubric"] == "good" and len(row["per_layer"]) == 4
    assert len(run("score", "-", "-n", 2).stdout.splitlines()) == 2
    assert "item a, rubric good" in run("prompt", "-").stdout, (
        "a key at the top is for every command that has the option"
    )


def test_one_file_counts_the_folders_before_the_users(place):
    assert find_config() is None
    user_path().write_text("threads = 3\n")
    assert (find_config().path, find_config().own, find_config().values) == (user_path(), True, {"threads": 3})
    Path("lager-lite.toml").write_text("limit = 2\n")
    assert (find_config().path, find_config().own, find_config().values) == (
        Path("lager-lite.toml"),
        False,
        {"limit": 2},
    )


def test_the_environment_names_another_file_or_none(place, monkeypatch):
    Path("lager-lite.toml").write_text("limit = 2\n")
    Path("other.toml").write_text("limit = 3\n")
    monkeypatch.setenv("LAGER_LITE_CONFIG", "other.toml")
    assert find_config().values == {"limit": 3} and find_config().own
    monkeypatch.setenv("LAGER_LITE_CONFIG", "")
    assert find_config() is None
    monkeypatch.setenv("LAGER_LITE_CONFIG", "missing.toml")
    with pytest.raises(ConfigError, match="missing.toml cannot be read: No such file"):
        find_config()


def test_the_environments_model_and_store_come_before_the_file(place, tiny_model, monkeypatch, run):
    user_path().write_text(
        'model = "nowhere.gguf"\nstore = "nowhere/at/all.sqlite"\nrubric = "good.toml"\nthreads = 1\n'
    )
    assert "nowhere.gguf" in run("score", "-").stderr
    monkeypatch.setenv("LAGER_LITE_MODEL", str(tiny_model))
    done = run("score", "-")
    assert done.exit_code == 0, done.stderr
    assert Path("../s.sqlite").exists() and not Path("nowhere").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("treads = 4\n", "lager-lite.toml: no command has an option --treads for the key 'treads'"),
        ("[scores]\nlimit = 1\n", "lager-lite.toml: there is no command 'scores' for [scores]"),
        (
            "[score]\nlimits = 1\n",
            "lager-lite.toml: lager-lite score has no option --limits for the key 'limits' of [score]",
        ),
        (
            "[models.tune]\nround = 1\n",
            "lager-lite.toml: lager-lite models tune has no option --round for the key 'round' of [models.tune]",
        ),
        ("[models]\ntune = 1\n", "lager-lite.toml: 'tune' must be a table: [models.tune]"),
        ('threads = "many"\n', "the key 'threads' for lager-lite "),
        ("[score]\nlimit = 0\n", "lager-lite.toml: the key 'limit' for lager-lite score: 0 is not in the range x>=1."),
        (
            "[score]\nper-layer = 1\n",
            "lager-lite.toml: the key 'per-layer' for lager-lite score: 1 is neither true nor false",
        ),
        (
            "[score]\nlimit = [1]\n",
            "lager-lite.toml: the key 'limit' for lager-lite score: [1] is not a value of --limit",
        ),
        ("limit 1\n", "lager-lite.toml is not TOML: "),
        ("\udcff", "lager-lite.toml is not TOML: "),
    ],
)
def test_what_no_option_means_is_an_error_that_names_file_and_key(place, text, message, run):
    Path("lager-lite.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    done = run("rubrics", "list")
    assert done.exit_code == 1 and done.stdout == ""
    error, hint = done.stderr.splitlines()
    assert error.startswith("Error: ") and message in error
    assert hint.startswith("Try: ")


@pytest.mark.parametrize(
    "text",
    [
        "offline = false",
        "guard = false",
        '[score]\noutput = "x"',
        "[store.clear]\nyes = true",
        'store = "x"',
        '[eval]\njson = "x"',
    ],
)
def test_a_file_that_came_with_the_data_lifts_no_check_and_names_no_output(place, text, run):
    Path("lager-lite.toml").write_text(text + "\n")
    done = run("rubrics", "list")
    assert done.exit_code == 1 and "does not count in a file of the working folder" in done.stderr
    assert str(user_path()) in done.stderr
    user_path().write_text(text + "\n")
    Path("lager-lite.toml").unlink()
    assert run("rubrics", "list").exit_code == 0


def test_every_key_of_the_users_own_file_is_an_option_of_some_command():
    """A renamed option must not leave a hole in the list."""
    options: set[str] = set()

    def collect(command: click.Command) -> None:
        options.update(o[2:] for p in command.params for o in p.opts if o.startswith("--"))
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                collect(command.get_command(click.Context(command), name))

    collect(main)
    assert options >= OWN_ONLY


def test_a_list_is_several_values_and_one_value_is_a_list_of_one(place):
    user_path().write_text('[score]\nrubric = "good.toml"\n[prompt]\nrubric = ["a", "b"]\n[models.tune]\nrounds = 2\n')
    found = default_map(main, click.Context(main))
    assert found["score"] == {"rubrics": ["good.toml"]} and found["prompt"] == {"rubrics": ["a", "b"]}
    assert found["models"]["tune"] == {"rounds": 2}


def test_doctor_says_which_file_is_used(place, tiny_model, run):
    assert (
        f"settings          none: neither lager-lite.toml here nor {user_path()}"
        in run("doctor", "-m", tiny_model).stdout
    )
    user_path().write_text("threads = 1\n")
    done = run("doctor", "-m", tiny_model)
    assert f"settings          {user_path()}\n" in done.stdout and "\nthreads           1\n" in done.stdout
