"""The public names of the package: they work when asked for, and type checkers see what they are."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lager_lite

ROOT = Path(__file__).resolve().parent.parent
NAMES = [
    "BackendOptions",
    "Item",
    "Judge",
    "JudgeWarning",
    "Judgment",
    "LagerError",
    "Panel",
    "Rubric",
    "ScoreBatch",
    "Store",
    "compare_pairs",
    "evaluate",
    "fit_panel",
    "fit_weights",
    "gather",
    "inspect_item",
    "load_panel",
    "load_rubric",
    "load_weights",
    "make_rubric",
    "open_pool",
    "open_view",
    "pair_figures",
    "pairwise_rubric",
    "rank",
    "read_items",
    "read_pairs",
    "read_responses",
    "save_panel",
    "save_weights",
    "score_frame",
    "score_pool",
    "select",
    "tournament",
    "write_view",
]


def test_the_public_names_are_all_listed() -> None:
    assert sorted(lager_lite.__all__) == sorted([*NAMES, "__version__"])
    assert set(lager_lite.__all__) <= set(dir(lager_lite))


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_the_thing_of_its_name(name: str) -> None:
    assert getattr(lager_lite, name).__name__ == name


def test_every_public_name_comes_with_import_star() -> None:
    found: dict[str, object] = {}
    exec("from lager_lite import *", found)
    assert set(NAMES) <= set(found)


def test_a_wrong_name_is_told_the_near_one() -> None:
    with pytest.raises(AttributeError) as caught:
        lager_lite.load_rubrics  # noqa: B018
    assert str(caught.value) == (
        "module 'lager_lite' has no attribute 'load_rubrics'; did you mean 'load_rubric'? See lager_lite.__all__"
    )
    with pytest.raises(AttributeError, match="no attribute 'xyz'; see lager_lite.__all__"):
        lager_lite.xyz  # noqa: B018


def mypy(path: Path) -> str:
    """What `mypy --strict` prints about a user's file."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed (extra dev)")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-color-output", "--hide-error-context"]
    command += ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache"), str(path)]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=path.parent, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def test_a_type_checker_sees_what_the_public_names_give(tmp_path: Path) -> None:
    path = tmp_path / "user.py"
    path.write_text("""\
import lager_lite
from lager_lite import Item, Judge, evaluate, fit_weights, gather, load_rubric, load_weights, read_items

items = read_items("items.jsonl").items
reveal_type(items)
with Judge("model.gguf", weights=load_weights("weights.json")) as judge:
    reveal_type(judge)
    reveal_type(Judge("model.gguf").score(items))
    data = gather(judge, items)
    reveal_type(data)
    reveal_type(fit_weights(judge, data))
    reveal_type(evaluate(data))
reveal_type(load_rubric("default"))
reveal_type(lager_lite.Store)
""")
    revealed = re.findall(r'Revealed type is "(.*)"', mypy(path))
    assert [re.sub(r"lager_lite\.(\w+\.)*|typing\.|builtins\.|collections\.abc\.", "", text) for text in revealed] == [
        "tuple[Item, ...]",
        "Judge",
        "Iterator[Judgment]",
        "Labelled",
        "Fitted",
        "Evaluation",
        "Rubric",
        "def (path: str | pathlib.Path, *, optional: bool =) -> Store",
    ]


def test_the_example_of_the_readme_passes_a_strict_type_checker(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    path = tmp_path / "user.py"
    path.write_text("\n".join(blocks))
    problems = [line for line in mypy(path).splitlines() if line.startswith(("user.py", str(path)))]
    assert problems == []
    path.write_text("from lager_lite import Judge\nJudge(1).score('text').nothing\n")
    assert len([line for line in mypy(path).splitlines() if "user.py" in line]) >= 2
