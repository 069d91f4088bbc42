"""Devices of other machines: llama.cpp's own RPC backend, in a library that was built with it.

Servers are registered with ggml before a model is loaded; after that, their devices are used like GPUs of this
machine. llama.cpp ends the process where a server does not answer as expected, so each server is first tried in
a child process.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import BackendError
from ..system import offline
from .library import Library, load
from .products import UNPACK

_BUILD = "build one with `lager-lite backend build`"
_PATIENCE = 20.0
_registered: set[str] = set()
# The child looks for modules where its parent does (see `guard`).
_CHILD = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); "
    "from lager_lite.llama.rpc import probe_server; probe_server(sys.argv[2])"
)


def parse_servers(text: str) -> tuple[str, ...]:
    """Return the servers of a list "host:port,host:port". Raises ValueError for anything else."""
    servers = tuple(part.strip() for part in text.split(",") if part.strip())
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{server!r} is not host:port")
    if not servers:
        raise ValueError("no server is named")
    return servers


def has_rpc(library: Library) -> bool:
    """Return whether the library was built with the RPC backend."""
    return bool(library.api.llama_supports_rpc())


def register(library: Library, servers: Sequence[str]) -> None:
    """Make the devices of these servers ("host:port") devices of this process.

    A server that is registered already is skipped. Raises OfflineError while the network is refused,
    and BackendError where the library has no RPC or a server does not answer.
    """
    if not servers:
        return
    if offline.is_refusing():
        raise offline.OfflineError(
            f"offline: --rpc would connect to {', '.join(servers)}", "give --online if that is wanted"
        )
    _need(library)
    # A server serves one process at a time, so a server that is connected already cannot be tried again.
    for server in (s for s in servers if s not in _registered):
        _try(server)
        add = _function(library, "ggml_backend_rpc_add_server", ctypes.c_void_p, ctypes.c_char_p)
        registry = add(server.encode())
        if not registry:
            raise BackendError(f"the RPC server {server} has no device")
        library.ggml.ggml_backend_register.argtypes = [ctypes.c_void_p]
        library.ggml.ggml_backend_register.restype = None
        library.ggml.ggml_backend_register(registry)
        _registered.add(server)


def serve(library: Library, endpoint: str, threads: int) -> None:
    """Lend this machine's devices to others at "host:port" until the process is ended.

    A CPU multiplies for others as it does for judging by default, whatever they chose for their own. Raises BackendError where the library has no RPC backend, and where the server cannot start or stops.
    """
    _need(library)
    devices = [library.ggml.ggml_backend_dev_get(i) for i in range(library.ggml.ggml_backend_dev_count())]
    kinds = [d.kind for d in library.devices()]
    chosen = [d for d, kind in zip(devices, kinds) if kind not in ("CPU", "accelerator")]
    chosen = chosen or [d for d, kind in zip(devices, kinds) if kind == "CPU"]
    library.unpack_for_others(UNPACK["fastest"])
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    start = _function(
        library, "ggml_backend_rpc_start_server", None, ctypes.c_char_p, ctypes.c_char_p, size, size, pointer
    )
    start(endpoint.encode(), None, threads, len(chosen), (pointer * len(chosen))(*chosen))
    raise BackendError(f"the RPC server could not be started at {endpoint}", "see the lines above, or use another port")


def _need(library: Library) -> None:
    if not has_rpc(library):
        raise BackendError(f"the library in {library.folder} was built without RPC", _BUILD)


def _try(server: str) -> None:
    """Connect to a server in a child process. Raises BackendError where it does not answer."""
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except OSError as error:
        raise BackendError(
            f"no RPC server at {server}: {error}", "start one there: lager-lite backend serve"
        ) from error
    command = [sys.executable, "-c", _CHILD, "\n".join(sys.path), server]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "GGML_NO_BACKTRACE": "1"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(
            f"the RPC server {server} does not answer",
            "a server serves one process at a time: end the other process, or check what listens there",
        ) from None
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if "RPC" in line] or done.stderr.splitlines()[-1:]
        raise BackendError(
            f"{server} is no RPC server that this library can use: {' '.join(told[:1]).strip()}",
            f"run the same llama.cpp there: lager-lite backend serve (llama-cpp-python {load().version})",
        )


def _function(library: Library, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Return a function of the RPC backend, with its C types."""
    base, ggml, pointer = library.base, library.ggml, ctypes.c_void_p
    ggml.ggml_backend_reg_by_name.argtypes, ggml.ggml_backend_reg_by_name.restype = [ctypes.c_char_p], pointer
    base.ggml_backend_reg_get_proc_address.argtypes = [pointer, ctypes.c_char_p]
    base.ggml_backend_reg_get_proc_address.restype = pointer
    address = base.ggml_backend_reg_get_proc_address(ggml.ggml_backend_reg_by_name(b"RPC"), name.encode())
    if not address:
        raise BackendError(f"the RPC backend in {library.folder} has no {name}", _BUILD)
    return ctypes.CFUNCTYPE(result, *arguments)(address)


def probe_server(server: str) -> None:
    """Connect to a server as the child process and exit, with code 0 where an RPC server answers."""
    library = load()
    library.log.verbose = True
    add = _function(library, "ggml_backend_rpc_add_server", ctypes.c_void_p, ctypes.c_char_p)
    os._exit(0 if add(server.encode()) else 1)
