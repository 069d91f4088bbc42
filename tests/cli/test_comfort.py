"""At home: completion, no colours, exit codes, paths."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "lager_lite").rglob("*.py"))


def test_the_lists_and_facts_are_json_too(run, tmp_path, tiny_model):
    rubrics = json.loads(run("rubrics", "list", "--json").stdout)
    assert {
        "rubric": "helpfulness",
        "labels": ["1", "2", "3", "4", "5"],
        "needs": ["instruction", "response"],
    } in rubrics
    info = json.loads(run("store", "info", "--json").stdout)
    assert (info["path"], info["readings"]) == (str(tmp_path / "store.sqlite"), 0)
    doctor = json.loads(run("doctor", "-m", tiny_model, "--json").stdout)
    assert doctor["model"] == f"{tiny_model} (given with -m)" and doctor["problems"] == [] and doctor["backend"]
    missing = run("doctor", "-m", tmp_path / "none.gguf", "--json")
    assert missing.exit_code == 1 and "none.gguf" in json.loads(missing.stdout)["problems"][0]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_program(run, shell):
    done = run("completion", shell)
    assert done.exit_code == 0 and "_LAGER_LITE_COMPLETE" in done.stdout and "lager-lite" in done.stdout
    assert run("completion", "tcsh").exit_code == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [("lager-lite sco", "score"), ("lager-lite models l", "list"), ("lager-lite score --gpu-l", "--gpu-layers")],
)
def test_commands_and_options_complete(words, expected):
    environment = {
        **os.environ,
        "_LAGER_LITE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    program = "from lager_lite.cli import main; main(prog_name='lager-lite')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [f"plain,{expected}"], done.stderr


def test_bash_itself_completes(run, tmp_path):
    """The script, sourced by a real bash, and its function called as bash calls it."""
    bash = "/bin/bash"
    if not Path(bash).exists():
        pytest.skip("no bash here")
    (tmp_path / "lager-lite").write_text(
        f"#!{sys.executable}\nfrom lager_lite.cli import main\nmain(prog_name='lager-lite')\n"
    )
    (tmp_path / "lager-lite").chmod(0o755)
    (tmp_path / "script").write_text(run("completion", "bash").stdout)
    # Not in the way of a bash without programmable completion: `compopt` exists while completing only.
    ask = "compopt() { :; }; source script; COMP_WORDS=(lager-lite dri); COMP_CWORD=1; _lager_lite_completion lager-lite dri; echo ${COMPREPLY[@]}"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([bash, "-c", ask], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "drift", done.stderr


def test_nothing_is_coloured_on_a_terminal_either(tmp_path, tiny_model):
    """NO_COLOR has nothing to turn off: no command writes an escape sequence, the progress bar included."""
    if sys.platform == "win32":
        pytest.skip("no pseudo terminals")
    import pty

    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"id": i, "response": f"n {i}"}) + "\n" for i in range(20)))
    (tmp_path / "r.toml").write_text('scale = "1-5"\ncriterion = "Good?"\ntemplate = "{sections} {criterion}"\n')
    shown = b""
    score = f"score in.jsonl -m {tiny_model} -r r.toml -t 1 --no-store --no-guard -o out.jsonl".split()
    for arguments in (score, ["rubrics", "list"], ["score", "--help"], ["score", "missing.jsonl"]):
        parent, child = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "lager_lite", *arguments],
            cwd=tmp_path,
            stdout=child,
            stderr=child,
            stdin=child,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "xterm-256color"},
        )
        os.close(child)
        try:
            while part := os.read(parent, 65536):
                shown += part
        except OSError:
            pass  # Linux's way to say that the other end is closed
        os.close(parent)
        process.wait()
    assert b"judgment" in shown and b"helpfulness" in shown and b"Error: missing.jsonl" in shown
    assert b"\x1b" not in shown


def test_exit_codes_are_as_documented(run, tmp_path, tiny_model):
    """130 and 143 are in test_faults.py."""
    (tmp_path / "in.jsonl").write_text(
        '{"id": "a", "response": "x"}\n{"id": "b", "response": "' + "long " * 500 + '"}\n'
    )
    common = ("score", "in.jsonl", "-m", tiny_model, "-r", "good.toml", "-t", 1, "--no-store", "--no-guard")
    assert run(*common, "-n", 1).exit_code == 0
    assert run(*common, "-c", 200).exit_code == 1, "an item without a score"
    assert run(*common, "-r", "missing").exit_code == 1, "an error"
    assert run(*common, "--no-such-option").exit_code == 2, "wrong usage"
    assert "0 success; 1 an error, or items that could not be judged; 2 wrong usage; 3 a bound" in " ".join(
        run("--help").stdout.split()
    )


def test_no_call_that_some_system_lacks():
    """os.fork is POSIX, os.rename does not replace on Windows, and text without an encoding is the system's."""
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name, keys = ast.unparse(node.func), {k.arg for k in node.keywords}
            mode = ast.unparse(node.args[1]).strip("'\"") if name == "open" and len(node.args) > 1 else "r"
            text = name.endswith((".read_text", ".write_text")) or (name == "open" and "b" not in mode)
            if name in ("os.fork", "os.rename", "os.system", "os.getuid") or (text and "encoding" not in keys):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert found == []


def test_only_one_module_names_the_folders_of_the_system():
    naming = ("LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "APPDATA", "AppData", "Library")
    found = {p.name for p in FILES if any(f'"{n}"' in p.read_text(encoding="utf-8") for n in naming)}
    assert found == {"caches.py"}, "caches.py follows huggingface_hub's own rule"


def test_the_last_line_of_the_demo_says_how_fast_it_was(run, tiny_model):
    done = run("demo", "-m", tiny_model, "-t", 1, "--no-guard", "-r", "good.toml")
    assert done.exit_code == 0, done.output
    assert re.fullmatch(r"Speed: [\d,]+ evaluated tokens per second\.", done.stdout.splitlines()[-1])
