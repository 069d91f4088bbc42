"""One product of a quantized matrix and some rows at a time: its time, its error, and whether its bits stay the same.

python -m tests.measure.products                     # times and errors of all types, ours and llama.cpp's
python -m tests.measure.products Q4_K Q6_K --rows 1 8 512 --size 2048 2048 --threads 2
python -m tests.measure.products --threads 1 --rows 1 2 4 8 64 512    # the table of patches/README.md
python -m tests.measure.products Q4_0 Q8_0 --rows 1 2 --cold          # with matrices that are in no cache, as in a model

With one thread its processor time is shown, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ctypes import c_bool, c_int, c_int64, c_size_t, c_void_p

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from lager_lite.llama.library import Library, load

TYPES = (
    *("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "MXFP4"),
    *("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0"),
    *("F16", "BF16", "F32"),
)
OFF, FASTEST, F32 = 0, 1, 2
UNCACHED = (
    96 * 2**20
)  # bytes of matrices, multiplied one after another, that caches keep nothing of until the next round


class _Params(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("buffer", c_void_p), ("no_alloc", c_bool)]


class Products:
    """ggml's products on the CPU, called without a model."""

    def __init__(self, library: Library | None = None) -> None:
        library = library or load()
        self.base = library.base
        self.cpu = ctypes.CDLL("libggml-cpu", handle=library.ggml._handle)
        for name, result, arguments in (
            ("ggml_init", c_void_p, [_Params]),
            ("ggml_free", None, [c_void_p]),
            ("ggml_new_tensor_3d", c_void_p, [c_void_p, c_int, c_int64, c_int64, c_int64]),
            ("ggml_mul_mat", c_void_p, [c_void_p, c_void_p, c_void_p]),
            ("ggml_mul_mat_id", c_void_p, [c_void_p, c_void_p, c_void_p, c_void_p]),
            ("ggml_new_graph", c_void_p, [c_void_p]),
            ("ggml_build_forward_expand", None, [c_void_p, c_void_p]),
            ("ggml_backend_alloc_ctx_tensors", c_void_p, [c_void_p, c_void_p]),
            ("ggml_backend_buffer_free", None, [c_void_p]),
            ("ggml_backend_tensor_set", None, [c_void_p, c_void_p, c_size_t, c_size_t]),
            ("ggml_backend_tensor_get", None, [c_void_p, c_void_p, c_size_t, c_size_t]),
            ("ggml_backend_graph_compute", c_int, [c_void_p, c_void_p]),
            ("ggml_backend_free", None, [c_void_p]),
            ("ggml_backend_dev_init", c_void_p, [c_void_p, c_void_p]),
            ("ggml_quantize_chunk", c_size_t, [c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p]),
        ):
            function = getattr(self.base, name)
            function.restype, function.argtypes = result, arguments
        self._device = library.ggml.ggml_backend_dev_by_type(0)
        registry = self.base.ggml_backend_dev_backend_reg(self._device)

        def found(name: str, *arguments: object) -> object:
            address = self.base.ggml_backend_reg_get_proc_address(registry, name.encode())
            return ctypes.CFUNCTYPE(None, *arguments)(address) if address else None

        self._threads = found("ggml_backend_set_n_threads", c_void_p, c_int)
        self._unpack = found("ggml_backend_cpu_set_unpack", c_void_p, c_int)

    def quantize(self, values: np.ndarray, kind: str) -> bytes:
        """The bytes of a float32 matrix (..., k) in a type; every number is as important as any other."""
        number = GGMLQuantizationType[kind]
        block, size = GGML_QUANT_SIZES[number]
        values = np.ascontiguousarray(values, np.float32)
        k = values.shape[-1]
        out = ctypes.create_string_buffer(values.size // block * size)
        ones = np.ones(k, np.float32)
        arguments = (0, values.size // k, k, ones.ctypes.data)
        self.base.ggml_quantize_chunk(int(number), values.ctypes.data, out, *arguments)
        return out.raw

    @contextmanager
    def product(
        self, kind: str, data: bytes, shape: Sequence[int], rows: np.ndarray, ids: np.ndarray | None = None
    ) -> Iterator[Product]:
        """A product of a matrix (m, k), or of experts (e, m, k), with rows float32 (n, k).

        ids: int32 (n, used), the experts of each row. The result is (n, m), or (n, used, m).
        """
        *experts, m, k = shape
        n = len(rows)
        context = self.base.ggml_init(_Params(2**20, None, True))
        matrix = self.base.ggml_new_tensor_3d(context, int(GGMLQuantizationType[kind]), k, m, *(experts or [1]))
        if ids is None:
            columns = self.base.ggml_new_tensor_3d(context, 0, k, n, 1)
            result, inputs = self.base.ggml_mul_mat(context, matrix, columns), [(columns, rows)]
            out = np.empty((n, m), np.float32)
        else:
            columns = self.base.ggml_new_tensor_3d(context, 0, k, 1, n)
            chosen = self.base.ggml_new_tensor_3d(context, int(GGMLQuantizationType.I32), ids.shape[1], n, 1)
            result = self.base.ggml_mul_mat_id(context, matrix, columns, chosen)
            inputs = [(columns, rows), (chosen, ids)]
            out = np.empty((n, ids.shape[1], m), np.float32)
        graph = self.base.ggml_new_graph(context)
        self.base.ggml_build_forward_expand(graph, result)
        backend = self.base.ggml_backend_dev_init(self._device, None)
        buffer = self.base.ggml_backend_alloc_ctx_tensors(context, backend)
        self.base.ggml_backend_tensor_set(matrix, data, 0, len(data))
        for tensor, values in inputs:
            values = np.ascontiguousarray(values)
            self.base.ggml_backend_tensor_set(tensor, values.ctypes.data, 0, values.nbytes)
        try:
            yield Product(self, backend, graph, result, out)
        finally:
            self.base.ggml_backend_free(backend)
            self.base.ggml_backend_buffer_free(buffer)
            self.base.ggml_free(context)


class Product:
    """One product that can be computed again and again."""

    def __init__(self, products: Products, backend: object, graph: object, result: object, out: np.ndarray) -> None:
        self._products, self._backend, self._graph, self._result, self._out = products, backend, graph, result, out

    def set(self, unpack: int, threads: int) -> None:
        """Choose the way and the number of threads."""
        self._products._threads(self._backend, threads)
        if self._products._unpack is not None:
            self._products._unpack(self._backend, unpack)

    def run(self) -> None:
        """Compute it."""
        status = self._products.base.ggml_backend_graph_compute(self._backend, self._graph)
        assert status == 0, status

    def result(self) -> np.ndarray:
        """What the last run gave."""
        size = self._out.nbytes
        self._products.base.ggml_backend_tensor_get(self._result, self._out.ctypes.data, 0, size)
        return self._out.copy()


def dequantized(products: Products, kind: str, data: bytes, shape: Sequence[int]) -> np.ndarray:
    """The matrix that quantized bytes stand for, float32 (m, k), as ggml unpacks it for one row of the identity."""
    m, k = shape
    number = GGMLQuantizationType[kind]

    class Traits(ctypes.Structure):
        _fields_ = [
            *(("name", ctypes.c_char_p), ("block", c_int64), ("interleave", c_int64), ("size", c_size_t)),
            *(("quantized", c_bool), ("to_float", ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int64))),
        ]

    if kind == "F32":
        return np.frombuffer(data, np.float32).reshape(m, k).copy()
    products.base.ggml_get_type_traits.restype = ctypes.POINTER(Traits)
    out = np.empty((m, k), np.float32)
    products.base.ggml_get_type_traits(int(number)).contents.to_float(data, out.ctypes.data, m * k)
    return out


def compare(
    kind: str, shape: tuple[int, int], counts: Sequence[int], threads: int, seconds: float, *, cold: bool = False
) -> list[str]:
    """For each number of rows: the least times of both ways in microseconds, unpacked / llama.cpp's of those and of the
    medians, and both errors against float64.

    cold: copies of the matrix are multiplied in turn, so many that a cache of up to 64 MB does not hold one until its next turn.
    """
    products, rng = Products(), np.random.default_rng(0)
    clock = time.thread_time if threads == 1 else time.perf_counter
    values = rng.standard_normal(shape).astype(np.float32)
    data = products.quantize(values, kind)
    exact = dequantized(products, kind, data, shape).astype(np.float64)
    lines = []
    for n in counts:
        rows = rng.standard_normal((n, shape[1])).astype(np.float32)
        expected = rows.astype(np.float64) @ exact.T
        with ExitStack() as stack:
            copies = -(-UNCACHED // len(data)) if cold else 1
            made = [stack.enter_context(products.product(kind, data, shape, rows)) for _ in range(copies)]
            errors = {}
            for way in (OFF, FASTEST, F32):
                made[0].set(way, threads)
                made[0].run()
                errors[way] = float(np.linalg.norm(made[0].result() - expected) / np.linalg.norm(expected))
            times = _times(made, clock, threads, seconds)
        own, theirs = min(times[FASTEST]) * 1e6, min(times[OFF]) * 1e6
        medians = statistics.median(times[FASTEST]) / statistics.median(times[OFF])
        shown = " ".join(f"{errors[way]:.1e}" for way in (OFF, FASTEST, F32))
        lines.append(f"{kind:8s} {n:4d} {theirs:9.0f} {own:9.0f} {own / theirs:6.2f} {medians:6.2f}   {shown}")
    return lines


def _times(made: Sequence[Product], clock: Callable[[], float], threads: int, seconds: float) -> dict[int, list[float]]:
    """The times of both ways in seconds, each of one round over all products divided by their number."""
    times: dict[int, list[float]] = {OFF: [], FASTEST: []}
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(times[OFF]) < 5:
        for way, found in times.items():
            for product in made:
                product.set(way, threads)
            before = clock()
            for product in made:
                product.run()
            found.append((clock() - before) / len(made))
    return times


def main() -> None:
    """Command line: see above."""
    parser = argparse.ArgumentParser(description="Time and check products of quantized matrices.")
    parser.add_argument("types", nargs="*", default=TYPES)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
    parser.add_argument("--size", type=int, nargs=2, default=[1536, 1536], metavar=("M", "K"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--cold", action="store_true", help="multiply matrices that are in no cache, as a model does")
    args = parser.parse_args()
    print("type     rows llama.cpp  unpacked  ratio median   errors: llama.cpp, unpacked, unpacked to F32")
    for kind in args.types:
        for line in compare(kind, tuple(args.size), args.rows, args.threads, args.seconds, cold=args.cold):
            print(line, flush=True)


if __name__ == "__main__":
    main()
