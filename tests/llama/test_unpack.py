"""A row's product has the same bits whatever other rows there are, for every type of matrix, and is more exact than llama.cpp's."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.backbones import locate_model
from lager_lite.llama import Backbone, BackendOptions, load, requantize
from lager_lite.llama.products import TILED, choose_products
from tests.measure.products import F32, FASTEST, OFF, TYPES, Products, dequantized
from tests.model_files.tiny import write_tiny_model

patched = pytest.mark.skipif(
    load().unpack_version() is None, reason="the loaded llama.cpp is a stock one (lager-lite backend build)"
)
M, K, N = 70, 512, 29
FLOATS = ("F16", "BF16", "F32")


@pytest.fixture(scope="module")
def products():
    return Products()


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@patched
@pytest.mark.parametrize("kind", TYPES)
def test_a_product_is_right_and_more_exact_than_with_rounded_rows(products, kind):
    data, rows, errors = products.quantize(numbers(M, K), kind), numbers(N, K, seed=1), {}
    expected = rows.astype(np.float64) @ dequantized(products, kind, data, (M, K)).astype(np.float64).T
    with products.product(kind, data, (M, K), rows) as product:
        for way in (OFF, FASTEST, F32):
            product.set(way, 2)
            product.run()
            errors[way] = np.linalg.norm(product.result() - expected) / np.linalg.norm(expected)
    assert errors[F32] < 1e-6
    # BF16 keeps 8 bits of a matrix and of a row: two roundings of 2^-9 at most, evenly spread.
    assert errors[FASTEST] < 3e-3
    if kind not in FLOATS:
        assert errors[FASTEST] < 0.5 * errors[OFF]


@patched
@pytest.mark.parametrize("way", [FASTEST, F32])
@pytest.mark.parametrize("kind", TYPES)
def test_a_row_has_the_same_bits_in_any_company(products, kind, way):
    data, rows = products.quantize(numbers(M, K), kind), numbers(N, K, seed=1)
    expected = together(products, kind, data, rows, way, 1)
    for count, threads in ((1, 2), (2, 1), (7, 3), (8, 2), (N, 7)):
        found = together(products, kind, data, rows[-count:], way, threads)
        np.testing.assert_array_equal(found, expected[-count:])


def together(products, kind, data, rows, way, threads):
    with products.product(kind, data, (M, K), rows) as product:
        product.set(way, threads)
        product.run()
        return product.result()


@patched
@pytest.mark.parametrize("kind", ["Q4_0", "Q4_K", "IQ2_XXS", "F16", "BF16", "F32"])
def test_experts_are_multiplied_like_single_matrices(products, kind):
    """Whatever rows an expert gets, in their places, and one expert without any."""
    experts, rows = numbers(5, M, K), numbers(N, K, seed=1)
    ids = np.random.default_rng(2).permuted(np.tile(np.arange(4, dtype=np.int32), (N, 1)), axis=1)[:, :2]
    data = products.quantize(experts, kind)
    single = [data[len(data) // 5 * i : len(data) // 5 * (i + 1)] for i in range(5)]
    for way, threads in ((FASTEST, 2), (F32, 3)):
        alone = np.stack([together(products, kind, one, rows, way, 1) for one in single])
        with products.product(kind, data, (5, M, K), rows, np.ascontiguousarray(ids)) as product:
            product.set(way, threads)
            product.run()
            np.testing.assert_array_equal(product.result(), alone[ids, np.arange(N)[:, None]])


def prompts(n_vocab):
    """13 prompts with a common beginning for some, and single tokens behind it for others."""
    rng = np.random.default_rng(4)
    trunk = rng.integers(3, n_vocab, 40)
    shares = [
        (40, 1),
        (40, 30),
        (40, 2),
        (20, 9),
        (20, 40),
        (0, 1),
        (0, 60),
        (0, 17),
        (40, 1),
        (30, 5),
        (30, 8),
        (5, 3),
        (1, 90),
    ]
    return [np.concatenate([trunk[:shared], rng.integers(3, n_vocab, own)]).astype(np.int32) for shared, own in shares]


def differing(path, **options):
    """How many of 13 prompts have other states alone, in pairs, in eights, in another order or with another thread."""
    found = set()
    with (
        Backbone(path, BackendOptions(threads=2, **options)) as two,
        Backbone(path, BackendOptions(threads=1, **options)) as one,
    ):
        tokens = prompts(two.n_vocab)
        together = [read.states for read in two.read_states(tokens)]
        order = list(np.random.default_rng(5).permutation(len(tokens)))
        for backbone, parts in (
            (two, [[i] for i in range(13)]),
            (two, [order[i : i + 2] for i in range(0, 13, 2)]),
            (one, [order[i : i + 8] for i in range(0, 13, 8)]),
            (one, [order]),
        ):
            for part in parts:
                for i, read in zip(part, backbone.read_states([tokens[i] for i in part]), strict=True):
                    if not np.array_equal(read.states, together[i]):
                        found.add(int(i))
    return len(found)


@patched
@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_no_prompt_depends_on_its_company(tmp_path, kind):
    path = write_tiny_model(tmp_path / "m.gguf", "llama", ftype=kind)
    assert differing(path) == 0
    assert differing(path, **{"unpack": "f32", "cache_type_k": "f32", "cache_type_v": "f32"}) == 0


@pytest.mark.parametrize("family, kind", [("llama", "Q4_K_M"), ("llama", "Q6_K"), ("qwen3moe", "Q5_K_M")])
def test_no_prompt_depends_on_its_company_with_k_quants(tmp_path, family, kind):
    """On a stock library too, where these are multiplied in tiles at any number of rows."""
    floats = write_tiny_model(tmp_path / "m.gguf", family, n_embd=256, heads=(4, 2, 64), n_blocks=2)
    path = requantize(floats, tmp_path / "q.gguf", kind)
    assert differing(path) == 0


@patched
@pytest.mark.model
def test_no_prompt_of_the_default_model_depends_on_its_company():
    assert differing(locate_model(None).path) == 0


def test_numbers_are_named_by_how_products_are_computed(tmp_path, monkeypatch):
    library = load()
    plain, quantized = write_tiny_model(tmp_path / "f.gguf", "llama"), tmp_path / "q.gguf"
    requantize(write_tiny_model(tmp_path / "m.gguf", "llama", n_embd=256), quantized, "Q4_K_M")
    monkeypatch.setattr(type(library), "unpack_version", lambda self: None)
    monkeypatch.delenv(TILED, raising=False)
    assert choose_products(library, "fastest", plain).name == "llama.cpp's"
    tiled = choose_products(library, "fastest", quantized)
    assert tiled.name == "llama.cpp's in tiles" and not tiled.extra_buffers
    monkeypatch.setenv(TILED, "0")
    assert choose_products(library, "fastest", quantized).name == "llama.cpp's"
    monkeypatch.setattr(type(library), "unpack_version", lambda self: 7)
    monkeypatch.setattr(type(library), "unpack_type", lambda self: "bf16")
    assert choose_products(library, "fastest", quantized).name == "unpacked to bf16, version 7"
    assert choose_products(library, "f32", quantized).name == "unpacked to f32, version 7"
    assert choose_products(library, "off", plain).name == "llama.cpp's"
