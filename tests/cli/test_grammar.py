"""One grammar: --json, -n, shared options, examples and near misses, over every command."""

from __future__ import annotations

import ast
import json
import shlex
import shutil
from pathlib import Path

import click
import pytest

from lager_lite.cli import COMMANDS, main
from lager_lite.cli.grammar import HEADINGS, JsonOption, SharedOption, commands_of
from lager_lite.data import Dataset, load_demo
from tests.cli.page_inputs import write_inputs
from tests.write_commands_page import CLICK, PAGE, commands_page

ALL = dict(commands_of(main))
LEAVES = {name: command for name, command in ALL.items() if not isinstance(command, click.Group)}
ROOM = Path(__file__).resolve().parents[2] / "lager_lite" / "cli"
MAX_LINES = 25

# Every command that prints figures, with arguments that are quick on a tiny model.
QUICK = ("-m", "MODEL", "-t", "1", "--no-guard")
JUDGED = ("in.jsonl", *QUICK, "-r", "good.toml")
FIGURES = {
    "backend info": (),
    "bench": (*QUICK, "--rounds", "1", "--tokens", "65"),
    "compare": ("a.json", "a.json"),
    "data check": ("in.jsonl", "-r", "good.toml"),
    "demo": (*QUICK, "-r", "good.toml"),
    "doctor": QUICK,
    "drift": (*JUDGED, "-n", "2"),
    "estimate": ("in.jsonl", "others.jsonl", *JUDGED[1:]),
    "eval": (*JUDGED, "--kind", "uniform"),
    "fit": (*JUDGED, "--kind", "signed", "-o", "w.json"),
    "gate": ("scores.jsonl", "--fail-under", "1"),
    "inspect": JUDGED,
    "knowledge": ("known.jsonl", *QUICK, "-r", "good.toml", "-n", "20"),
    "models catalog": (),
    "models copies list": (),
    "models list": (),
    "models tune": (*QUICK, "-n", "2", "--rounds", "1", "--kind", "Q8_0"),
    "pairs": ("pairs.jsonl", *QUICK, "-r", "good.toml"),
    "prune": (*QUICK, "-w", "low.json", "-o", "p.gguf"),
    "rank": ("pairs.jsonl", *QUICK, "-r", "good.toml"),
    "rubrics list": (),
    "select": ("train.json", *QUICK, "-r", "good.toml", "--top", "2", "-o", "s.json"),
    "store info": (),
}


def help_of(path: str) -> str:
    command = ALL[path]
    return command.get_help(click.Context(command, info_name=path))


def lines_of(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def inputs(run, tmp_path, tiny_model, monkeypatch):
    """Files for FIGURES in the working folder."""
    rows = [{"id": str(n), "response": f"text {n}", "score": 1 + n % 5} for n in range(20)]
    lines_of(tmp_path / "in.jsonl", rows)
    lines_of(tmp_path / "others.jsonl", [{"id": f"o{n}", "response": f"other text {n}"} for n in range(20)])
    lines_of(tmp_path / "pairs.jsonl", [{**row, "instruction": f"ask {n // 2}"} for n, row in enumerate(rows)])
    lines_of(
        tmp_path / "known.jsonl",
        [{**row, "instruction": f"ask {n}", "score": 1 + n % 2 * 4} for n, row in enumerate(rows)],
    )
    train = [{"instruction": f"ask {n}", "input": "", "output": f"text {n}"} for n in range(4)]
    (tmp_path / "train.json").write_text(json.dumps(train))
    monkeypatch.setattr(
        "lager_lite.cli.commands.demo.load_demo", lambda: Dataset(load_demo().items[:10], "rows", "ten of the demo set")
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def prepared(run, folder: Path, name: str, model: Path) -> list[str]:
    """The command line of FIGURES, with what it needs written before."""
    if name == "compare":
        assert run("eval", *given(JUDGED, model), "--kind", "uniform", f"--json={folder / 'a.json'}").exit_code == 0
    if name == "gate":
        assert run("score", *given(JUDGED, model), "-o", "scores.jsonl").exit_code == 0
    if name == "prune":
        run("fit", *given(JUDGED, model), "--kind", "full", "--max-state", 1, "-o", "low.json")
    return [*name.split(), *given(FIGURES[name], model)]


def given(arguments: tuple[str, ...], model: Path) -> list[str]:
    return [str(model) if argument == "MODEL" else argument for argument in arguments]


def test_the_commands_that_print_figures_have_json_and_no_other_has():
    assert {name for name, c in LEAVES.items() if any(isinstance(p, JsonOption) for p in c.params)} == set(FIGURES)
    named = {name for name, c in LEAVES.items() if any("--json" in p.opts for p in c.params)}
    assert named == set(FIGURES), "an option --json of another kind"


def reads_items(name: str) -> bool:
    return any("--map" in parameter.opts for parameter in LEAVES[name].params)


def test_commands_that_read_items_share_their_options():
    """The commands with --map are those with --ignore, --layout and --encoding; `states` reads prompts alone, and `gate` scores."""
    for option in ("--ignore", "--layout", "--encoding"):
        named = {name for name, command in LEAVES.items() if any(option in p.opts for p in command.params)}
        others = {"states", "gate"} if option == "--encoding" else set()
        assert named == {name for name in LEAVES if reads_items(name)} | others, option


@pytest.mark.parametrize("name", FIGURES)
def test_json_is_one_document_alone_on_stdout(run, inputs, tiny_model, name):
    done = run(*prepared(run, inputs, name, tiny_model), "--json")
    assert done.exit_code == 0, done.output
    assert isinstance(json.loads(done.stdout), (dict, list)) and done.stdout.count("\n") == 1
    if reads_items(name) and name not in ("bench", "data check"):  # one has no items here, the other no stderr
        assert " <- " in done.stderr


@pytest.mark.parametrize("name", ["rubrics list", "store info", "eval", "inspect", "rank"])
def test_json_in_a_file_is_beside_the_tables(run, inputs, tiny_model, name):
    words = prepared(run, inputs, name, tiny_model)
    tables = run(*words)
    both = run(*words, "--json=out.json")
    assert both.exit_code == 0 and both.stdout == tables.stdout != ""
    text = (inputs / "out.json").read_text()
    json.loads(text)
    if name in ("rubrics list", "store info"):
        assert text == run(*words, "--json").stdout


def test_a_bare_json_takes_no_argument_for_its_file(run, inputs, tiny_model):
    before = (inputs / "in.jsonl").read_bytes()
    done = run("eval", "--json", *given(JUDGED, tiny_model), "--kind", "uniform")
    assert done.exit_code == 0 and json.loads(done.stdout) and (inputs / "in.jsonl").read_bytes() == before
    wrong = run("eval", "in.jsonl", "--json", "out.json")
    assert (
        wrong.exit_code == 2 and "). To write the JSON to a file, use an equals sign: --json=out.json" in wrong.stderr
    )


def test_ranks_and_json_do_not_share_stdout(run, inputs):
    done = run("rank", "pairs.jsonl", "-o", "-", "--json", "-m", "none.gguf")
    assert done.exit_code == 2 and "both write to stdout" in done.stderr


@pytest.mark.parametrize("name", LEAVES)
def test_n_always_limits(name):
    for parameter in LEAVES[name].params:
        if "-n" in parameter.opts or "--limit" in parameter.opts:
            assert parameter.opts == ["-n", "--limit"] and isinstance(parameter.type, click.IntRange)


def test_n_uses_only_the_first_items(run, inputs, tiny_model):
    assert run("score", *given(JUDGED, tiny_model), "-n", 3).stdout.count("\n") == 3
    assert run("prompt", *given(JUDGED, tiny_model), "-n", 3).stdout.count("=== item") == 3
    assert run("eval", *given(JUDGED, tiny_model), "-n", 10, "--kind", "uniform").stdout.startswith("10 judgments")
    assert "labels    10 in" in run("fit", *given(JUDGED, tiny_model), "-n", 10, "-o", "w.json").stdout


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_every_option_has_a_help_text(name):
    command = ALL[name]
    assert command.help and command.help.rstrip().endswith((".", "lager-lite.fish"))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help and len(parameter.help) > 10, parameter.opts
            assert (
                parameter.help in " ".join(help_of(name).split()) or "\n" in parameter.help or "  [" in parameter.help
            )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_is(name):
    done = main.get_help(click.Context(main))
    assert COMMANDS[name][1][:40] in " ".join(done.split())
    assert COMMANDS[name][1].split()[0] == (ALL[name].help or "").split()[0]


@pytest.mark.parametrize("name", LEAVES)
def test_shared_options_are_last_under_their_headings(name):
    titles = [line[:-1] for line in help_of(name).splitlines() if line.endswith(":") and not line.startswith(" ")]
    used = {p.heading for p in LEAVES[name].params if isinstance(p, SharedOption)}
    assert titles == ["Options", *(heading for heading in HEADINGS if heading in used), "Example"]


@pytest.mark.parametrize("name", ["", *ALL])
def test_help_ends_with_an_example_that_parses(name):
    text = help_of(name) if name else main.get_help(click.Context(main))
    *_, title, example = text.splitlines()
    assert title == "Example:" and example.startswith("  ")
    words = example_words(example)
    assert " ".join(words).startswith(name)
    command, context = main, click.Context(main)
    while isinstance(command, click.Group):
        _, command, words = command.resolve_command(context, words)
        context = click.Context(command)
    with_files = [p for p in command.params if isinstance(p, click.Argument)]
    try:
        command.make_context("x", words)
    except click.BadParameter as error:
        assert error.param in with_files and "does not exist" in error.message


def example_words(example: str) -> list[str]:
    """The arguments of an example, without what the shell does with them."""
    words = shlex.split(example.replace('eval "$(', "").replace(')"', "").partition(" > ")[0])
    assert words[0] == "lager-lite"
    return words[1:]


RUNNABLE = [
    "score",
    "prompt",
    "states",
    "fit",
    "eval",
    "rank",
    "inspect",
    "select",
    "drift",
    "data convert",
    "rubrics list",
    "rubrics show",
    "rubrics new",
    "store info",
    "store clear",
    "backend info",
    "completion",
    "doctor",
    "docs",
]


def test_the_examples_run(run, inputs, monkeypatch):
    """Those that need neither a compiler, a large model nor the files of another example."""
    from tests.model_files.tiny import write_tiny_model

    model = write_tiny_model(inputs / "model.gguf", "llama", n_blocks=2)
    write_inputs(inputs, model)
    shutil.copy(inputs / "judge_bench_newsroom.json", inputs / "judge_bench.json")
    shutil.copy(inputs / "items.jsonl", inputs / "responses.jsonl")
    (inputs / "settings.toml").write_text('threads = 1\ncache-type-v = "f16"\nguard = false\n')
    monkeypatch.setenv("LAGER_LITE_CONFIG", "settings.toml")
    monkeypatch.setenv("LAGER_LITE_MODEL", str(model))
    for name in RUNNABLE:
        done = run(*example_words(LEAVES[name].example))
        assert done.exit_code == 0, f"{LEAVES[name].example}\n{done.output}"


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["scor"], "Did you mean score"),
        (["evl"], "Did you mean eval"),
        (["models", "lst"], "Did you mean list?"),
        (["zzz"], "The commands are: score, merge,"),
        (["score", "--weigths"], "--weights"),
        (["bench", "--jsn"], "--json"),
    ],
)
def test_a_near_miss_is_wrong_usage_that_names_the_near_one(run, words, near):
    done = run(*words)
    assert done.exit_code == 2 and near in done.stderr


def test_commands_are_short():
    """Parse, call, print: the body of a command is at most 25 lines long, its docstring aside."""
    long = {}
    for path in sorted((ROOM / "commands").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                body = node.body[1:] or node.body
                size = (body[-1].end_lineno or 0) - body[0].lineno + 1
                if size > MAX_LINES:
                    long[f"{path.stem}.{node.name}"] = size
    assert long == {}


def test_the_page_of_commands_is_what_help_says():
    page = PAGE.read_text(encoding="utf-8")
    if f"click {CLICK}." not in page:
        pytest.skip(f"the page was written with another version of click than {CLICK}")
    assert page == commands_page(), "the page is stale: run python -m tests.write_commands_page"


@pytest.mark.parametrize(
    "command, rubric", [("demo", "faithfulness"), ("knowledge", "answerability"), ("eval", "default")]
)
def test_the_help_names_the_rubric_that_is_used_without_r(invoke, command, rubric):
    help_text = " ".join(invoke(command, "--help").stdout.split())
    described = help_text.partition("--rubric RUBRIC")[2].partition("--scale")[0]
    assert f"[default: {rubric}]" in described
    assert ("May be repeated" in described) == (command != "knowledge")


@pytest.mark.parametrize(
    "given",
    [
        ("prompt", "items.jsonl", "-m", "a.gguf", "-m", "b.gguf"),
        ("score", "items.jsonl", "-o", "a.jsonl", "--output", "b.jsonl"),
    ],
)
def test_what_cannot_be_taken_twice_is_refused_in_place_of_dropped(invoke, tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    Path("items.jsonl").write_text("{}")
    result = invoke(*given)
    assert result.exit_code == 2
    assert "was given 2 times, and this command takes one" in result.stderr
