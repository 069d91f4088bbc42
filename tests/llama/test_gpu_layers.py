"""How many blocks go to a GPU, for every way of asking for them."""

from __future__ import annotations

import pytest

from lager_lite.backbones import open_model
from lager_lite.llama import gpu_layers
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


def test_a_library_without_gpus_puts_nothing_there(monkeypatch, tiny_model) -> None:
    monkeypatch.setattr(load().api, "llama_supports_gpu_offload", lambda: False)
    assert {gpu_layers(load(), wanted, tiny_model) for wanted in ("auto", "all", 7)} == {0}
