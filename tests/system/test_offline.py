"""Offline as a promise: no command reaches for another machine, and what tries is refused."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lager_lite.cli import COMMANDS, main
from lager_lite.system.offline import OfflineError, is_refusing, only_listening, refusing

ROOT = Path(__file__).resolve().parents[2]
ROW = '{"id": "a", "response": "R"}\n'
TOML = 'scale = "1-5"\ncriterion = "Is it good?"\ntemplate = "{sections} {criterion}"\n'
WITHOUT_A_MODEL = (
    "docs",
    "compare",
    "gate",
    "merge",
    "view",
    "data",
    "rubrics",
    "store",
    "models",
    "backend",
    "completion",
)
# What a person does with the program, in one process: every line is a command.
SESSION = """
import json, sys
from pathlib import Path
from click.testing import CliRunner
from lager_lite.cli import main

model = sys.argv[1]
rows = [json.dumps({"id": str(n), "response": f"text {n}", "score": 1 + n % 5}) for n in range(12)]
Path("in.jsonl").write_text("\\n".join(rows))
Path("good.toml").write_text(TOML)
common = ["in.jsonl", "-m", model, "-r", "good.toml"]
commands = [
    ["score", *common, "-o", "out.jsonl"], ["fit", *common, "--kind", "simplex", "-o", "w.json"], ["score", *common, "-w", "w.json", "-n", "2"],
    ["eval", *common, "--cv", "2", "--splits", "1", "--json=e.json"], ["prompt", *common, "-n", "1"], ["states", "a text", "-m", model, "-o", "s.npz"],
    ["data", "convert", "in.jsonl", "-o", "c.jsonl"], ["rubrics", "list"], ["store", "info"], ["models", "list", "."], ["models", "catalog"],
    ["doctor", "-m", model], ["demo", "-m", model, "-r", "good.toml"], ["bench", "-m", model, "--tokens", "65", "--rounds", "1"],
    ["score", *common, "-m", "hf:user/not-here"],
]
sockets = []
sys.addaudithook(lambda event, args: sockets.append((event, repr(args))) if event.startswith("socket.") else None)
codes = []
for command in commands:
    done = CliRunner().invoke(main, command)
    wrong = done.exception is not None and not isinstance(done.exception, SystemExit)
    codes.append([" ".join(command[:2]), repr(done.exception) if wrong else done.exit_code])
print(json.dumps({"codes": codes, "sockets": sockets}))
""".replace("TOML", repr(TOML))
EXPECTED = [
    ["score in.jsonl", 0],
    ["fit in.jsonl", 0],
    ["score in.jsonl", 0],
    ["eval in.jsonl", 0],
    ["prompt in.jsonl", 0],
    ["states a text", 0],
    ["data convert", 0],
    ["rubrics list", 0],
    ["store info", 0],
    ["models list", 0],
    ["models catalog", 0],
    ["doctor -m", 0],
    ["demo -m", 0],
    ["bench -m", 0],
    ["score in.jsonl", 1],
]


@pytest.fixture(scope="module")
def session(tmp_path_factory, tiny_model) -> dict:
    """What came of the session: in a network namespace without interfaces where one can be had, with sockets counted."""
    tmp_path = tmp_path_factory.mktemp("session")
    before = [] if no_namespace() else ["unshare", "-rn"]
    own = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "LAGER_LITE_STORE": str(tmp_path / "s.sqlite")}
    environment = {**os.environ, **own, "LAGER_LITE_GUARD": "on"}
    command = [*before, sys.executable, "-c", SESSION, str(tiny_model)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def no_namespace() -> str:
    """Why no network namespace can be had here, "" where it can."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return "there is no `unshare` on this system"
    done = subprocess.run([unshare, "-rn", "true"], capture_output=True, text=True)
    return f"unshare -rn is not permitted: {done.stderr.strip()}" if done.returncode else ""


def test_the_main_commands_work_in_a_network_namespace_without_interfaces(session):
    reason = no_namespace()
    if reason:
        pytest.skip(reason)
    alone = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9))"
    assert subprocess.run(["unshare", "-rn", sys.executable, "-c", alone], capture_output=True).returncode == 1
    assert session["codes"] == EXPECTED


def test_the_main_commands_open_no_socket_at_all(session):
    """By Python's own audit events, with the refusal on top; the last command looks for a model that is not there."""
    assert session["codes"] == EXPECTED
    assert session["sockets"] == []


def test_every_use_of_a_network_socket_is_refused_and_local_ones_are_not():
    opened = socket.socket()
    with refusing():
        for use in (
            lambda: socket.socket(),
            lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
            lambda: socket.create_connection(("192.0.2.1", 80), 1),
            lambda: socket.getaddrinfo("example.org", 443),
            lambda: socket.gethostbyname("example.org"),
            lambda: opened.connect(("192.0.2.1", 80)),
            lambda: opened.bind(("127.0.0.1", 0)),
            lambda: opened.sendto(b"x", ("192.0.2.1", 9)),
        ):
            with pytest.raises(OfflineError) as caught:
                use()
            assert caught.value.message.startswith("offline: something tried to ")
        for end in socket.socketpair():
            end.close()
    opened.bind(("127.0.0.1", 0))
    opened.close()


def test_refusing_nests_and_ends_with_the_outermost_block():
    with refusing(), refusing():
        pass
    with refusing():
        with refusing():
            pass
        with pytest.raises(OfflineError):
            socket.socket()
    with refusing(False):
        socket.socket().close()


def test_a_command_that_would_reach_out_ends_with_an_error_unless_online(tmp_path, tiny_model, monkeypatch):
    import lager_lite.cli.options.judging as inputs

    read = inputs.open_items

    def reaching(*arguments, **named):
        socket.socket().close()
        return read(*arguments, **named)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inputs, "open_items", reaching)
    (tmp_path / "good.toml").write_text(TOML)
    arguments = ["score", "-", "-m", str(tiny_model), "-r", "good.toml", "--no-store", "--no-guard"]
    done = CliRunner().invoke(main, arguments, input=ROW, catch_exceptions=False)
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "Error: offline: something tried to open a network socket",
        "Try: give --online if that is wanted",
    ]
    assert CliRunner().invoke(main, [*arguments, "--online"], input=ROW, catch_exceptions=False).exit_code == 0
    socket.socket().close()


@pytest.mark.parametrize("name", [n for n in COMMANDS if n not in WITHOUT_A_MODEL])
def test_every_command_that_loads_a_model_is_offline_by_default(name):
    command = main.get_command(None, name)
    (option,) = [p for p in command.params if "--offline" in p.opts]
    assert option.default is True and option.secondary_opts == ["--online"]


@pytest.mark.parametrize("words", [["in.jsonl", "-n", "many"], ["--help"]])
def test_sockets_are_refused_no_longer_than_a_command_line_that_cannot_be_parsed(words):
    """The error, which is kept here, holds the context that refuses them."""
    command = main.get_command(click.Context(main), "score")
    with pytest.raises((click.UsageError, click.exceptions.Exit)) as kept:
        command.make_context("score", ["--offline", *words])
    assert kept and not is_refusing()


def test_a_server_may_listen_and_connects_to_nobody():
    with only_listening():
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.socket() as client:
                with pytest.raises(OfflineError, match="use a network socket \\(connect"):
                    client.connect(("127.0.0.1", port))
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                with pytest.raises(OfflineError, match="sendto"):
                    client.sendto(b"x", ("127.0.0.1", port))
        with pytest.raises(OfflineError, match="look up 'example.org'"):
            socket.getaddrinfo("example.org", 80)
        assert not is_refusing()
        with refusing(), pytest.raises(OfflineError, match="open a network socket"):
            socket.socket()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
