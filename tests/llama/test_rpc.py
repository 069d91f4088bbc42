"""Devices of other machines, with a server in a child process on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lager_lite.errors import BackendError
from lager_lite.llama.library import load
from lager_lite.llama.native_tap import KNOWN_VERSIONS
from lager_lite.llama.rpc import has_rpc, parse_servers, register
from lager_lite.system import offline
from tests.effort import patience

ROOT = Path(__file__).resolve().parents[2]
# A registered server stays for the life of a process, so clients are processes of their own. The
# cache type is named because "auto" differs where blocks lie on a GPU.
CLIENT = """
import json, sys
import numpy as np
from lager_lite.llama.backbone import Backbone, BackendOptions

model, server, out, lengths = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
rng = np.random.default_rng(1)
prompts = [rng.integers(3, 260, n).tolist() for n in lengths]

def read(max_state, **options):
    with Backbone(model, BackendOptions(cache_type_v="f16", threads=1, batch_size=64, ubatch_size=32, **options)) as b:
        found = b.read_states(prompts, max_state=max_state)
        tap = b.context(8).tap.name
    return np.array([s.states for s in found]), tap

here = [read(k, gpu_layers=0)[0] for k in (None, 2)]
there = [read(k, gpu_layers="all", rpc=(server,)) for k in (None, 2)]
np.savez(out, **{f"here{i}": a for i, a in enumerate(here)}, **{f"there{i}": a for i, (a, _) in enumerate(there)})
print(there[0][1])
"""
ONE = """
import sys
from lager_lite.llama.backbone import Backbone, BackendOptions

model, server, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Backbone(model, BackendOptions(gpu_layers="all", rpc=(server,), threads=1)) as backbone:
    backbone.read_states([[3 + i % 200 for i in range(n)]])
"""


@pytest.fixture(scope="module")
def server():
    """host:port of a server that lends this machine's CPU."""
    if not has_rpc(load()):
        pytest.skip("the loaded llama.cpp was built without RPC (lager-lite backend build)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "lager_lite", "backend", "serve", address, "--online", "-t", "1"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(address, child)
        yield address
    finally:
        child.kill()
        child.wait()


def _wait_for(address, child):
    host, port = address.split(":")
    for _ in range(int(patience(300))):
        assert child.poll() is None, "the server has ended"
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no server at {address}")


class Counter:
    """Passes connections on to a server and counts the bytes that come back."""

    def __init__(self, address):
        host, port = address.split(":")
        self.target = (host, int(port))
        self.received = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            for a, b, count in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(a, b, count), daemon=True).start()

    def _pump(self, source, target, count):
        while data := source.recv(1 << 16):
            self.received += len(data) if count else 0
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def python(code, *arguments, **environment):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=["native", "callback"])
def tap(request):
    if request.param == "native" and load().native_tap_version() not in KNOWN_VERSIONS:
        pytest.skip("the loaded llama.cpp has no native tap (lager-lite backend build)")
    return request.param


def test_states_of_another_machine_are_the_same_bits(server, tap, tiny_model, tmp_path):
    out = tmp_path / "states.npz"
    counter = Counter(server)
    told = python(CLIENT, tiny_model, counter.address, out, json.dumps([50, 7, 90]), LAGER_LITE_TAP=tap)
    counter.listener.close()
    assert told.strip() == tap
    found = np.load(out)
    assert counter.received > found["there0"][:, 1:].nbytes + found["there1"][:, 1:].nbytes, (
        "the server had no part in it"
    )
    assert found["here0"].shape == (3, 4, 64) and np.ptp(found["here0"]) > 1
    for i in (0, 1):
        np.testing.assert_array_equal(found[f"there{i}"], found[f"here{i}"])


def test_only_the_wanted_rows_come_over_the_network(server, tap, tiny_model):
    """Sixty times the tokens bring not one row of one state more."""
    received = []
    for n in (8, 488):
        counter = Counter(server)
        python(ONE, tiny_model, counter.address, n, LAGER_LITE_TAP=tap)
        counter.listener.close()
        received.append(counter.received)
    assert abs(received[1] - received[0]) < 64 * 4
    assert received[0] > 64 * 4 * 4


def test_a_judge_on_the_command_line_uses_the_server(server, tiny_model, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"id": "a", "instruction": "I", "response": "R"}\n')
    common = [
        "score",
        str(tmp_path / "in.jsonl"),
        "-m",
        str(tiny_model),
        "--no-store",
        "-ngl",
        "all",
        "-ctv",
        "f16",
        "--no-guard",
    ]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}

    def score(*more):
        command = [sys.executable, "-m", "lager_lite", *common, *more]
        return subprocess.run(command, env=path, capture_output=True, text=True, check=False)

    far = score("--rpc", server, "--online", "-v")
    near = score()
    assert far.returncode == 0 == near.returncode, far.stderr
    assert f"RPC0 ({server})" in far.stderr
    assert far.stdout == near.stdout and "score" in json.loads(far.stdout)


def test_what_is_no_rpc_server_is_an_error_and_not_the_end_of_the_process(server, tiny_model):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"

        def answer():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9)
                client.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(BackendError, match=f"{address} is no RPC server that this library can use: .*RPC"):
            register(load(), (address,))


def test_nothing_at_the_address_is_an_error(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    library = SimpleNamespace(api=SimpleNamespace(llama_supports_rpc=lambda: True))
    with pytest.raises(BackendError, match=f"no RPC server at {address}: .*refused") as caught:
        register(library, (address,))
    assert caught.value.hint == "start one there: lager-lite backend serve"


def test_a_library_without_rpc_is_an_error():
    library = SimpleNamespace(api=SimpleNamespace(llama_supports_rpc=lambda: False), folder="the folder")
    with pytest.raises(BackendError) as caught:
        register(library, ("127.0.0.1:1",))
    assert caught.value.message == "the library in the folder was built without RPC"
    assert caught.value.hint == "build one with `lager-lite backend build`"


def test_a_server_is_refused_while_the_network_is():
    with offline.refusing(), pytest.raises(offline.OfflineError, match="--rpc would connect to 127.0.0.1:1"):
        register(SimpleNamespace(), ("127.0.0.1:1",))


def test_no_server_needs_nothing():
    with offline.refusing():
        assert register(SimpleNamespace(), ()) is None


def test_rpc_without_online_is_wrong_usage(invoke, tiny_model):
    done = invoke("states", "a text", "-m", str(tiny_model), "-o", "x.npz", "--rpc", "127.0.0.1:1")
    assert done.exit_code == 2
    assert "--rpc connects to other machines: give --online too" in done.stderr


@pytest.mark.parametrize("text", ["host", "host:", ":50052", "host:99999", "a:1,b", "", ","])
def test_a_server_that_is_not_host_and_port_is_wrong_usage(invoke, text):
    with pytest.raises(ValueError):
        parse_servers(text)
    done = invoke("states", "a text", "-o", "x.npz", "--rpc", text, "--online")
    assert done.exit_code == 2 and "--rpc" in done.stderr


def test_servers_are_separated_by_commas():
    assert parse_servers("a:1, b.c:50052,[::1]:3") == ("a:1", "b.c:50052", "[::1]:3")
