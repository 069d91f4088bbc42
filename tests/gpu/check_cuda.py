"""Build the CUDA backend and check it, on a machine with an NVIDIA GPU. Run from a checkout:

    python tests/gpu/check_cuda.py                     # build, packaged model, random models of real sizes
    python tests/gpu/check_cuda.py -m model.gguf ...   # these models too
    python tests/gpu/check_cuda.py --dry               # the script itself, on any machine, in a minute

Per model: states on the GPU against those on the CPU, the native tap against the callback, what each
tap costs, judgments per second, and memory. Exit code 1 where a check fails. A quantized file is compared
with the CPU through an F32 copy of it: the two multiply quantized weights by activations that each rounds in
its own way, which says nothing about the tap. A run stays under --seconds; models that would take longer
are left out. The random models are written to --folder and each removed after its part: 0.6 GB for 1B and 4 GB for 8B, of which
only those are written that the GPU has room for. Building takes 4 to 30 minutes more, by the number of cores.

Without the device nothing is compared, and the exit code is 1. With --json, what was found is in that file after every
part. To send it back, open an issue in this project's tracker with the file and with all that was printed.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lager_lite.backbones.locate import locate_model  # noqa: E402
from lager_lite.backbones.model_file import open_model  # noqa: E402
from lager_lite.data.items import load_demo, read_items  # noqa: E402
from lager_lite.errors import LagerError  # noqa: E402
from lager_lite.judging.judge import Judge  # noqa: E402
from lager_lite.llama.backbone import Backbone  # noqa: E402
from lager_lite.llama.library import Library, load  # noqa: E402
from lager_lite.llama.native_tap import available  # noqa: E402
from lager_lite.llama.options import BackendOptions  # noqa: E402
from lager_lite.llama.quantize import requantize  # noqa: E402
from lager_lite.performance.bench import tap_cost  # noqa: E402
from lager_lite.performance.workload import measure_workload  # noqa: E402
from tests.gpu.synthetic import SHAPES, write_synthetic  # noqa: E402
from tests.model_files.families import FAMILIES  # noqa: E402
from tests.model_files.tiny import write_tiny_model  # noqa: E402

# Largest difference of a state over the largest number in it. FLOAT: tiny float32 models, whose products a GPU
# rounds to TF32 (seen: up to 3.1e-3); MIXTURE: those whose rounded gate shares out experts (seen: 8.1e-3); COPY: 30 blocks of a real model as F32; DEFAULT: 16-bit KV cache and flash
# attention as well; TAPS: two ways of reading the same computation.
FLOAT, MIXTURE, COPY, DEFAULT, TAPS = 5e-3, 2e-2, 2e-2, 1e-1, 1e-6
# The least share of untapped prefill of 512 tokens. Seen on H200s, whose hosts launch kernels at different speeds: 0.78
# to 0.98 (135M), 0.70 to 0.92 (1B), 0.92 (8B BF16), 0.96 (8B Q4_0); the callback's 0.51 to 0.85.
LEAST_PREFILL = 0.6
# No model is begun after this share of the time.
_BEGIN_BY = 0.6
CPU_LIMIT = 2e9


@dataclass
class Report:
    """failures: what is wrong, in words; models: what was measured, by the model's name."""

    device: str = ""
    failures: list[str] = field(default_factory=list)
    models: dict[str, dict] = field(default_factory=dict)

    def check(self, ok: bool, text: str) -> None:
        """Print a check and remember it if it failed."""
        print(f"  {'ok  ' if ok else 'FAIL'} {text}", flush=True)
        if not ok:
            self.failures.append(text)


def parse(described: str | None = __doc__) -> argparse.Namespace:
    """The options of the command line, which the check of Metal has too."""
    parser = argparse.ArgumentParser(description=described, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", action="append", default=[], help="a GGUF file or name; repeat")
    parser.add_argument("--items", help="a file of items to judge, default: the demo's")
    parser.add_argument("--sizes", default="1B,8B", help=f"random models to write, of {', '.join(SHAPES)}")
    parser.add_argument("--folder", type=Path, help="where to write them, default: the temporary folder")
    parser.add_argument("--sdist", help="the source distribution, if it is here")
    parser.add_argument("--skip-build", action="store_true", help="use the library that is installed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=150, help="the longest run, building left out")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--dry", action="store_true", help="build nothing, run every step on the CPU with tiny models")
    return parser.parse_args()


def build(args: argparse.Namespace, backends: list[str]) -> None:
    """Build and install the library with these options of `backend build`, unless told not to. A failure ends the run."""
    if args.dry or args.skip_build:
        return
    command = [
        sys.executable,
        "-m",
        "lager_lite",
        "backend",
        "build",
        *backends,
        *(["--sdist", args.sdist] if args.sdist else []),
    ]
    print("$", " ".join(command), flush=True)
    start = time.perf_counter()
    if subprocess.run(command, cwd=ROOT).returncode:
        raise SystemExit("the library was not built, for the reason above; nothing was checked")
    print(f"built in {time.perf_counter() - start:.0f} s")


def gpu_memory(library: Library) -> int:
    """Free bytes of all GPUs, 0 without one."""
    return sum(d.memory_free for d in library.devices() if d.kind == "GPU")


def difference(left: list, right: list) -> float:
    """The largest difference of a state over the largest number in it, over all prompts and states."""
    pairs = [(a.states[i], b.states[i]) for a, b in zip(left, right, strict=True) for i in range(len(a.states))]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def read(path: Path, options: BackendOptions, tap: str, *, max_state: int | None = None) -> list:
    """States of four prompts that share a beginning and go over several micro-batches."""
    with Backbone(path, options) as backbone, backbone.context(256, tap=tap) as context:
        rng = np.random.default_rng(4)
        trunk = rng.integers(3, backbone.n_vocab, 100)
        parts = ((100, 90), (100, 7), (40, 150), (0, 1))
        prompts = [np.concatenate([trunk[:k], rng.integers(3, backbone.n_vocab, n)]).astype(np.int32) for k, n in parts]
        found = {i: g for g in context.evaluate(prompts, max_state=max_state) for i in g.prompts}
        return [_Row(found[i].states[found[i].prompts.index(i)]) for i in range(len(prompts))]


@dataclass(frozen=True)
class _Row:
    states: np.ndarray


def check_parity(report: Report, path: Path, name: str, tolerance: float, *, exact_only: bool = False) -> None:
    """GPU against CPU, taps against each other, early end against the whole graph.

    tolerance: of GPU against CPU with the exact settings.
    """
    batches = {"batch_size": 256, "ubatch_size": 64}
    # The type of the V cache is named, since "auto" is another one on the CPU.
    default = functools.partial(BackendOptions, cache_type_v="f16")
    kinds = {"exact": (BackendOptions.exact, tolerance), "default": (default, DEFAULT)}
    for kind, (options, most) in list(kinds.items())[: 1 if exact_only else 2]:
        taps = available(load())
        near = read(path, options(gpu_layers=0, **batches), taps[0])
        far = {tap: read(path, options(gpu_layers="all", **batches), tap) for tap in taps}
        for tap, states in far.items():
            off = difference(states, near)
            report.check(off <= most, f"{name}, {kind}: {tap} tap, GPU against CPU {off:.2g} (at most {most:g})")
        if len(far) == 2:
            off = difference(far["native"], far["callback"])
            report.check(
                off <= TAPS, f"{name}, {kind}: native against callback on the GPU {off:.2g} (at most {TAPS:g})"
            )
        k = len(near[0].states) // 2
        short = read(path, options(gpu_layers="all", **batches), taps[0], max_state=k)
        off = difference(short, [_Row(row.states[: k + 1]) for row in far[taps[0]]])
        report.check(
            off <= TAPS, f"{name}, {kind}: ended after state {k} against the whole graph {off:.2g} (at most {TAPS:g})"
        )


def measure(report: Report, path: Path, name: str, args: argparse.Namespace, *, ours: bool = False) -> None:
    """What the taps cost, and judgments per second. ours: the file is thrown away, so no copy of it is kept for GPUs."""
    options = BackendOptions(gpu_layers="all", unpack="off" if ours else "auto")
    before = gpu_memory(load())
    with Backbone(path, options) as backbone:
        cost = tap_cost(backbone, tokens=256 if args.dry else 512, rounds=args.rounds)
        used = before - gpu_memory(load())
    for tap in cost.taps:
        print(
            f"  {tap.tap} tap: prefill {tap.prefill:.0f} of {cost.prefill_plain:.0f} tokens/s ({tap.prefill_ratio:.3f}), "
            f"decode {tap.decode:.0f} of {cost.decode_plain:.0f} ({tap.decode_ratio:.3f}), "
            f"early {', '.join(f'{k} {v:.3f}' for k, v in tap.early.items())}",
            flush=True,
        )
    native = cost.taps[0]
    if native.tap == "native" and not args.dry:
        told = f"{name}: native prefill {native.prefill_ratio:.3f} of untapped (at least {LEAST_PREFILL:g})"
        report.check(native.prefill_ratio >= LEAST_PREFILL, told)
    items = read_items(args.items).items if args.items else load_demo().items
    with Judge(path, rubric="faithfulness", options=options) as judge:
        found = measure_workload(judge, items[:4] if args.dry else items)
    print(
        f"  {found.judgments} judgments, {found.whole.judgments_per_second:.1f}/s, {found.whole.tokens_per_second:.0f} tokens/s, "
        f"{found.whole.share:.2f} of plain prefill; GPU memory {used / 2**30:.2f} GiB",
        flush=True,
    )
    report.models[name] = {
        "bytes": path.stat().st_size,
        "gpu_bytes": used,
        "cost": cost.to_dict(),
        "workload": found.to_dict(),
    }


def has_time(args: argparse.Namespace, part: str) -> bool:
    """Whether a part may begin; says so where none is left for it."""
    left = time.perf_counter() - args.start <= _BEGIN_BY * args.seconds
    if not left:
        print(f"{part}: left out, no time is left of {args.seconds:.0f} s", flush=True)
    return left


def chosen(args: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """(name, path, written here) of every model: the packaged one, those given, random ones by size."""
    for wanted in args.model or [None]:
        try:
            path = locate_model(wanted).path
            open_model(path)
        except LagerError as error:
            print(f"{wanted or 'the packaged model'}: left out, {error.message}", flush=True)
            continue
        if has_time(args, path.name):
            yield path.name, path, False
    for size in ["dry"] if args.dry else args.sizes.split(","):
        shape = SHAPES[size]
        if not has_time(args, f"random {size}"):
            continue
        room = gpu_memory(load())
        if not args.dry and 1.15 * shape.file_bytes + 1.5e9 > room:
            print(
                f"random {size}: left out, {shape.file_bytes / 1e9:.1f} GB do not fit {room / 1e9:.1f} GB of GPU memory"
            )
            continue
        yield f"random {size}", write_synthetic(folder / f"{size}.gguf", shape), True


@contextmanager
def work_folder(args: argparse.Namespace) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        yield Path(name)


def main() -> int:
    args = parse()
    build(args, ["--cuda"])
    args.start = time.perf_counter()
    library, report = load(), Report()
    report.device = ", ".join(f"{d.name}: {d.description}" for d in library.devices())
    print(f"{report.device}; taps: {', '.join(available(library))}", flush=True)
    if args.dry:
        args.rounds = 1
        print("DRY RUN on the CPU: nothing here says anything about a GPU")
    else:
        need_device(report, library, "CUDA", args)
        report.check(available(library)[0] == "native", "the native tap is used")
    with work_folder(args) as folder:
        for family in list(FAMILIES)[: 3 if args.dry else None]:
            if not has_time(args, f"tiny {family}"):
                continue
            path = write_tiny_model(folder / f"{family}.gguf", family)
            tolerance = MIXTURE if "moe" in family else FLOAT
            check_parity(report, path, f"tiny {family}", tolerance, exact_only=True)
        write_report(args, asdict(report))
        for name, path, ours in chosen(args, folder):
            print(f"{name}, {path.stat().st_size / 1e9:.2f} GB", flush=True)
            if not ours and path.stat().st_size <= CPU_LIMIT:
                copy = requantize(path, folder / "float.gguf", "F32")
                check_parity(report, copy, f"{name} as F32", COPY)
                copy.unlink()
            measure(report, path, name, args, ours=ours)
            if ours:
                path.unlink()
            write_report(args, asdict(report))
    return finish(report, args)


def need_device(report: Report, library: Library, name: str, args: argparse.Namespace) -> None:
    """End the run with code 1 where no device has a name that begins so: the CPU would be compared with itself."""
    found = any(device.name.startswith(name) for device in library.devices())
    report.check(found, f"the library has a {name} device")
    if not found:
        write_report(args, asdict(report))
        raise SystemExit("nothing was compared: without the device, the CPU would be compared with itself")


def write_report(args: argparse.Namespace, told: dict[str, object]) -> None:
    """Write what was found so far to the file of --json, where one was asked for."""
    if args.json:
        args.json.write_text(json.dumps({"dry": args.dry, **told}, indent=1), encoding="utf-8")


def finish(report: Report, args: argparse.Namespace) -> int:
    """Print the result and return the exit code."""
    print(f"{time.perf_counter() - args.start:.0f} s")
    print(f"{len(report.failures)} checks failed" if report.failures else "every check passed")
    return 1 if report.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
