"""README and the pages in lager_lite/docs: short enough, shown offline, and every command on them works."""

from __future__ import annotations

import glob
import re
import shlex
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from tests.cli.page_inputs import write_inputs
from tests.model_files.tiny import write_tiny_model
from tests.write_data_page import updated

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "lager_lite" / "docs").glob("*.md"))
NAMES = [page.stem for page in PAGES]
TEXTS = {page.stem: page.read_text(encoding="utf-8") for page in PAGES}
TEXTS["README"] = (ROOT / "README.md").read_text(encoding="utf-8")
WRITTEN = [name for name in TEXTS if name != "commands"]

# Commands that are only parsed: what they contain, and why they cannot run on a tiny model here.
NOT_RUN = {
    "backend build": "downloads and compiles llama.cpp",
    "backend serve": "serves until it is interrupted",
    "serve --online": "serves until it is interrupted",
    "--rpc": "needs a server",
    "--ray": "needs a cluster",
    "--peer": "needs torch and transformers",
}

# Scores do not matter here, so the settings are those that take the least time.
QUICK = """threads = 1
cache-type-v = "f16"
[bench]
rounds = 1
[models.tune]
limit = 2
rounds = 1
"""


def fenced(text: str) -> list[tuple[str, list[str]]]:
    """The fenced blocks of a page: language and lines."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [(language, body.splitlines()) for language, body in found]


def commands_of(text: str) -> list[list[str]]:
    """The arguments of every lager-lite command in the fenced blocks of a page, in order."""
    found = []
    for language, lines in fenced(text):
        if language:
            continue
        lines = "\n".join(lines).replace("\\\n", " ").split("\n")
        if any(line.startswith("$ ") for line in lines):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        for line in lines:
            inner = re.sub(r'^eval "\$\((.*)\)"$', r"\1", line)
            parts = [part.strip() for part in inner.split("&&")]
            found += [shlex.split(part, comments=True)[1:] for part in parts if part.startswith("lager-lite ")]
    return found


def spans(text: str) -> list[str]:
    """What stands between single backticks, outside the blocks."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`]+)`", prose.replace("\n", " "))


def inline_of(text: str) -> list[list[str]]:
    """The arguments of every command that stands in the running text."""
    return [shlex.split(code)[1:] for code in spans(text) if code.startswith("lager-lite ")]


def parse(words: list[str]) -> tuple[click.Command, dict[str, object]]:
    """Parse a command line against the command tree: the command that it calls, and the values of its parameters.

    Raises click.UsageError for what does not exist. Files that are missing do not matter here; there are no values then.
    """
    command: click.Command = main
    context = click.Context(main, info_name="lager-lite")
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, list(words))
        assert found is not None
        if isinstance(found, click.Group):
            context = click.Context(found, info_name=name, parent=context)
            command = found
            if not words:
                return found, {}
        else:
            try:
                return found, found.make_context(name, words, parent=context).params
            except click.MissingParameter:
                raise
            except click.BadParameter as error:
                if error.param is None or not isinstance(error.param.type, click.Path):
                    raise
            return found, {}
    return command, {}


ALL = [(page, words) for page in TEXTS for words in commands_of(TEXTS[page])]


def to_run(page: str) -> list[list[str]]:
    return [words for words in commands_of(TEXTS[page]) if not any(part in " ".join(words) for part in NOT_RUN)]


def test_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 10240


def test_every_page_is_linked_from_readme():
    for name in NAMES:
        assert f"(lager_lite/docs/{name}.md)" in TEXTS["README"]


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page):
    """Files exist, and so do the headings that links name."""
    folder = ROOT if page == "README" else ROOT / "lager_lite" / "docs"
    for target in re.findall(r"\]\(([^)]+)\)", TEXTS[page]):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        if Path(path).name == "commands.md" and "commands" not in TEXTS:
            continue  # made from --help
        file = folder / path if path else folder / f"{page}.md"
        assert file.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}, target


@pytest.mark.parametrize("page", TEXTS)
def test_paths_in_the_text_exist(page):
    for code in spans(TEXTS[page]):
        for word in code.split():
            if re.match(r"(tests|models|patches|lager_lite)/", word):
                assert (ROOT / word).exists(), word
        for module in re.findall(r"python -m ((?:tests|models|lager_lite)[\w.]*)", code):
            assert find_spec(module) is not None, module


@pytest.mark.parametrize(
    ("page", "words"), ALL, ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_a_command_in_a_block_parses(page, words):
    """It is a command and no group of them, and what it is called with reaches a parameter."""
    command, values = parse(words)
    assert not isinstance(command, click.Group) or not words, f"{command.name} is only a group of commands"
    given = [str(value) for value in values.values() if value not in (None, False, ())]
    assert not values or all(any(word in value for value in given) for word in words[1:] if word.endswith(".jsonl"))


@pytest.mark.parametrize("page", TEXTS)
def test_a_command_in_the_text_parses(page):
    for words in inline_of(TEXTS[page]):
        # A text may name a command without its arguments, or with a placeholder.
        words = [word for word in words if not word.isupper()]
        try:
            command, _ = parse(words)
        except click.MissingParameter as error:
            assert error.param is not None and error.param.required
        else:
            assert command.name in (*words, main.name)


@pytest.mark.parametrize("page", WRITTEN)
def test_options_in_the_text_exist(page):
    """`--weights` alone in a text is an option of some command."""
    known = {option for command in every_command() for p in command.params for option in (*p.opts, *p.secondary_opts)}
    for code in spans(TEXTS[page]):
        if re.match("--?[a-z]", code):
            assert code.split()[0] in known, code


def every_command(group: click.Group = main):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield command
        if isinstance(command, click.Group):
            yield from every_command(command)


@pytest.mark.parametrize("page", [page for page in WRITTEN if to_run(page)])
def test_the_commands_of_a_page_run(page, tmp_path, monkeypatch):
    """In the order of the page, on a tiny model and small files under the names that the page uses."""
    # Pruning needs blocks that can be left out; elsewhere few blocks save time.
    model = write_tiny_model(tmp_path / "model.gguf", "llama", n_blocks=6 if page == "speed" else 2)
    write_inputs(tmp_path, model, page)
    (tmp_path / "settings.toml").write_text(QUICK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAGER_LITE_CONFIG", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("LAGER_LITE_MODEL", str(model))
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "store" / "readings.sqlite"))
    for name in ("cli.commands.evaluate", "tasks.pairs", "tasks.pair_figures"):
        monkeypatch.setattr(import_module(f"lager_lite.{name}"), "SPLITS", 1)
    for words in to_run(page):
        if "--report" in words and find_spec("matplotlib") is None:
            at = words.index("--report")
            words = words[:at] + words[at + 2 :]
        words = [name for word in words for name in (sorted(glob.glob(word)) if "*" in word else [word])]
        done = CliRunner().invoke(main, words, catch_exceptions=False)
        assert done.exit_code == 0, f"lager-lite {shlex.join(words)}\n{done.output}"


def test_the_pages_are_listed_with_their_titles(invoke):
    titles = {name: TEXTS[name].splitlines()[0].removeprefix("# ") for name in NAMES}
    assert invoke("docs").stdout.splitlines() == [f"{name:<12}{title}" for name, title in titles.items()]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_shown_as_it_is(name, invoke):
    for topic in (name, f"{name}.md"):
        assert invoke("docs", topic).stdout == TEXTS[name]


def test_an_unknown_page_is_wrong_usage_and_the_near_one_is_named(invoke):
    wrong = invoke("docs", "scorng")
    assert wrong.exit_code == 2 and "there is no page 'scorng'. Did you mean 'scoring'?" in wrong.stderr
    far = invoke("docs", "zzz")
    assert far.exit_code == 2 and f"The pages are {', '.join(NAMES)}." in far.stderr


def test_the_pages_are_part_of_an_installed_package():
    """They are no modules, so only package data brings them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["lager_lite"]
    found = {path for pattern in patterns for path in (ROOT / "lager_lite").glob(pattern)}
    assert set(PAGES) <= found


@pytest.mark.parametrize("page", [page for page in WRITTEN if "```python" in TEXTS[page]])
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    write_inputs(tmp_path, write_tiny_model(tmp_path / "model.gguf", "llama", n_blocks=2))
    monkeypatch.chdir(tmp_path)
    for language, lines in fenced(TEXTS[page]):
        if language == "python":
            exec("\n".join(lines), {})
    assert capsys.readouterr().out


def test_the_page_on_data_shows_what_its_commands_print():
    """After a change, `python -m tests.write_data_page` brings the page up to date."""
    assert updated(TEXTS["data"]) == TEXTS["data"]
