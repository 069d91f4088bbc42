"""How many blocks go to a GPU, for every way of asking for them, and what is said of it."""

from __future__ import annotations

import ctypes

import pytest

from lager_lite.backbones import open_model
from lager_lite.errors import BackendError
from lager_lite.llama import Backbone, BackendOptions, gpu_layers, known_company, lack_of_room
from lager_lite.llama.guard import check_loads
from lager_lite.llama.library import Device, Library, load


@pytest.fixture
def with_gpu(monkeypatch):
    """Gives the library a GPU with so many free bytes."""

    def give(free: int) -> Library:
        library = load()
        monkeypatch.setattr(library.api, "llama_supports_gpu_offload", lambda: True)
        cpu = Device("CPU", "a CPU", "CPU", 2**40, 2**40)
        monkeypatch.setattr(library, "devices", lambda: [Device("CUDA0", "a GPU", "GPU", free, 2**40), cpu])
        return library

    return give


@pytest.mark.parametrize(("beyond", "found"), [(-1, 0), (0, 0), (1, 1), (None, -1)])
def test_auto_takes_what_fits_beside_half_a_gib(beyond, found, with_gpu, tiny_model) -> None:
    """`beyond`: for how many blocks, the output matrix counted as one, there is room; None for all of them."""
    info = open_model(tiny_model).info
    whole = info.n_blocks + 1
    room = 1.2 * info.size_bytes * (whole if beyond is None else beyond + 0.5) / whole
    assert gpu_layers(with_gpu(2**29 + int(room) + 1), "auto", tiny_model) == found


@pytest.mark.parametrize("wanted", ["all", -1, -7, "output", 99])
def test_whatever_asks_for_the_whole_model_has_one_name(wanted, with_gpu, tiny_model) -> None:
    """The number is part of the key under which the store keeps readings."""
    library, blocks = with_gpu(2**40), open_model(tiny_model).info.n_blocks
    assert gpu_layers(library, blocks + 1 if wanted == "output" else wanted, tiny_model) == -1
    assert [gpu_layers(library, n, tiny_model) for n in (0, 1, blocks)] == [0, 1, blocks]


def test_a_library_with_rpc_and_no_device_has_no_gpu(with_gpu, tiny_model, monkeypatch) -> None:
    """It says that blocks can go elsewhere. The store's keys then named no device at all."""
    library = with_gpu(0)
    monkeypatch.setattr(library, "devices", lambda: [Device("CPU", "a CPU", "CPU", 2**40, 2**40)])
    assert [gpu_layers(library, wanted, tiny_model) for wanted in ("auto", "all", 99)] == [0, 0, 0]


def test_auto_says_what_has_no_room(with_gpu, tiny_model, short_rubric, invoke) -> None:
    library, blocks = with_gpu(2**28), open_model(tiny_model).info.n_blocks
    lack = "a GPU has no room for llama.gguf (0.2 GiB free), so the CPU computes it"
    assert lack_of_room(library, "auto", tiny_model) == lack
    assert f"gpu layers        none: {lack}\n" in invoke("doctor", "-m", tiny_model, "--no-trial").stdout
    done = invoke(
        "score", "-", "-m", tiny_model, "-r", short_rubric, "-t", 1, "--no-store", stdin='{"response": "R"}\n'
    )
    assert f"Warning: {lack}\n" in done.stderr and done.exit_code == 0
    room = 2**29 + int(1.2 * open_model(tiny_model).info.size_bytes * 1.5 / (blocks + 1)) + 1
    assert lack_of_room(with_gpu(room), "auto", tiny_model) == (
        f"a GPU has room for 1 of {blocks} blocks of llama.gguf (0.5 GiB free); the CPU computes the others"
    )
    assert lack_of_room(library, 1, tiny_model) == lack_of_room(with_gpu(2**40), "auto", tiny_model) == ""


def test_what_company_does_is_known_for_a_place(with_gpu, tiny_model, tmp_path, monkeypatch) -> None:
    """What was seen with the blocks on a GPU says nothing about the CPU, which takes them while the GPU is full."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with_gpu(0)
    assert check_loads(tiny_model, BackendOptions(threads=1))
    assert known_company(tiny_model, BackendOptions(threads=1)) is not None
    with_gpu(2**40)
    assert known_company(tiny_model, BackendOptions(threads=1)) is None


def test_a_gpu_that_is_not_used_is_left_alone(with_gpu, tiny_model, monkeypatch) -> None:
    """llama.cpp begins a stream on every device that it is given, and ends the process where that one is full."""
    given = []

    def load_from_file(path: bytes, params) -> None:
        given.append(ctypes.cast(params.devices, ctypes.POINTER(ctypes.c_void_p)))

    library = with_gpu(2**40)
    monkeypatch.setattr(library.api, "llama_model_load_from_file", load_from_file)
    for layers in (0, "all"):
        with pytest.raises(BackendError, match="no reason given"):
            Backbone(tiny_model, BackendOptions(gpu_layers=layers))
    none, unsaid = given
    assert none[0] is None and not unsaid


def test_a_full_gpu_is_told_apart_from_a_bad_file(with_gpu, tiny_model, monkeypatch) -> None:
    library = with_gpu(2**40)

    def load_from_file(path: bytes, params) -> None:
        library.log.write(4, b"llama_model_load: error loading model: unable to allocate CUDA0 buffer\n", None)

    monkeypatch.setattr(library.api, "llama_model_load_from_file", load_from_file)
    with pytest.raises(BackendError) as error:
        Backbone(tiny_model, BackendOptions(gpu_layers="all"))
    assert error.value.hint.startswith('use gpu_layers="auto"')


def test_a_library_without_gpus_puts_nothing_there(monkeypatch, tiny_model) -> None:
    monkeypatch.setattr(load().api, "llama_supports_gpu_offload", lambda: False)
    assert {gpu_layers(load(), wanted, tiny_model) for wanted in ("auto", "all", 7)} == {0}
