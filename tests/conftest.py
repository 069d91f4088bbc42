from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

ROOT = Path(__file__).resolve().parent.parent
# Settings of whoever runs the tests are not theirs.
os.environ["LAGER_LITE_CONFIG"] = ""
# The guard would start a process for every model file and setting; the tests of the guard turn it on.
os.environ["LAGER_LITE_GUARD"] = "off"
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

SHORT_RUBRIC = 'scale = "1-5"\ncriterion = "Is it good?"\ntemplate = "{sections} {criterion}"\n'


@pytest.fixture(scope="session", autouse=True)
def advice_is_checked() -> Iterator[None]:
    """Every command that any test runs in this process advises only options that it has, and counts one as one."""
    from tests.advice import command_of, misadvised, plurals_of_one

    run = CliRunner.invoke

    def checked(self: CliRunner, cli: click.Command, args: Any = None, *more: Any, **settings: Any) -> Result:
        result = run(self, cli, args, *more, **settings)
        words = shlex.split(args) if isinstance(args, str) else [str(one) for one in args or ()]
        assert misadvised(command_of(words), result.stderr.splitlines()) == []
        if words[:1] != ["docs"]:  # Pages have other lines with a 1.
            assert plurals_of_one(result.stderr.splitlines()) == []  # stdout holds texts of items, too
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CliRunner, "invoke", checked)
        yield


@pytest.fixture(scope="session")
def invoke() -> Callable[..., Result]:
    """Runs a command in this process: `invoke("score", "in.jsonl", "-n", 2, stdin="...")`.

    Arguments are made text. An exception that is no LagerError is raised, not turned into an exit code.
    """
    from lager_lite.cli import main
    from lager_lite.cli.show import progress

    progress.FIRST_LINE = 3600.0  # however slow the machine is, stderr holds what the command says

    def call(*arguments: object, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments], input=stdin, catch_exceptions=False)

    return call


@pytest.fixture
def run(invoke: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """As `invoke`, in a working folder (`tmp_path`) with a store of its own and the rubric good.toml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "store.sqlite"))
    (tmp_path / "good.toml").write_text(SHORT_RUBRIC, encoding="utf-8")
    return invoke


@pytest.fixture
def short_rubric(tmp_path: Path) -> Path:
    """A rubric on the scale 1-5 whose prompt is a few tokens longer than the item."""
    path = tmp_path / "good.toml"
    path.write_text(SHORT_RUBRIC, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real human-scored files; tests skip where LAGER_LITE_DATA names none."""
    folder = os.environ.get("LAGER_LITE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LAGER_LITE_DATA does not name the folder of human-scored data")
    return Path(folder)


@pytest.fixture(scope="session")
def sdist_folder() -> Path:
    """The unpacked source of llama-cpp-python, whose vendor/llama.cpp/models holds vocabularies."""
    folder = os.environ.get("LAGER_LITE_SDIST", "")
    if not folder or not (Path(folder) / "vendor" / "llama.cpp" / "models").is_dir():
        pytest.skip("LAGER_LITE_SDIST does not name an unpacked llama-cpp-python source")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A random llama of a few kilobytes with float32 weights and a chat template."""
    from tests.model_files.tiny import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "llama.gguf", "llama")
