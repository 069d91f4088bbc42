"""Build the library on a Mac and check its Metal backend. Run from a checkout, in an environment with this package:

    python tests/gpu/check_metal.py --json metal.json        # build, packaged model, random models of real sizes
    python tests/gpu/check_metal.py -m model.gguf ...        # these models too
    python tests/gpu/check_metal.py --dry                    # the script itself, on any machine, in a minute

It takes --seconds (150) and the time of building, some 5 to 30 minutes by the number of cores; models that would take
longer are left out. By default it writes random models to --folder and removes each after its part: 0.6 GB, and 4 GB where
the GPU has room for that one. `--sizes 1B` writes the small one alone.

What to send back: open an issue in this project's tracker with metal.json, which is written after every part, and with
everything that was printed. Nobody with a Mac has run it yet, so each line answers
an open question: whether the rebuilt libraries are signed, how the wheel is named, whether states on the GPU are those
of the CPU, what the copies of the tap cost with unified memory, and whether a prompt's bits depend on its company, on
the GPU and on the CPU.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lager_lite.llama.guard import try_model  # noqa: E402
from lager_lite.llama.library import Library, load  # noqa: E402
from lager_lite.llama.native_tap import available  # noqa: E402
from lager_lite.llama.options import BackendOptions  # noqa: E402
from tests.gpu import check_cuda as shared  # noqa: E402
from tests.model_files.families import FAMILIES  # noqa: E402
from tests.model_files.tiny import write_tiny_model  # noqa: E402

# Metal multiplies float matrices by rows that it rounds to 16 bits where there are more than a few of them.
FLOAT = 2e-2
_PRINTED = ("system_profiler", "SPHardwareDataType")


def describe_machine() -> str:
    """Return the chip and its memory as macOS tells them; the platform's name elsewhere."""
    if sys.platform != "darwin":
        return platform.platform()
    told = subprocess.run(_PRINTED, capture_output=True, text=True, check=False).stdout
    lines = (line.strip() for line in told.splitlines())
    wanted = ("Chip", "Memory", "Total Number of Cores", "Model Identifier")
    return ", ".join([platform.platform(), *(line for line in lines if line.startswith(wanted))])


def check_signatures(report: shared.Report, library: Library) -> None:
    """macOS ends a process that loads a library whose signature does not fit its bytes."""
    for path in sorted(library.folder.glob("*.dylib")):
        done = subprocess.run(["codesign", "--verify", "--strict", path], capture_output=True, text=True, check=False)
        report.check(done.returncode == 0, f"{path.name} is signed {done.stderr.strip()}".rstrip())


def wheel_tags() -> list[str]:
    """Return the tags of the installed llama-cpp-python; a tag of another macOS than this one cannot be installed again."""
    text = metadata.distribution("llama-cpp-python").read_text("WHEEL") or ""
    return [line.partition(": ")[2] for line in text.splitlines() if line.startswith("Tag: ")]


def check_company(report: shared.Report, path: Path, name: str) -> dict[str, float]:
    """How far states move with what is read beside them, on the GPU and on the CPU; both with `--steady` too."""
    found = {}
    for place, layers in (("CPU", 0), ("GPU", "all")):
        for way, steady in (("", False), (", --steady", True)):
            told = f"{place}{way}"
            found[told] = try_model(path, BackendOptions(gpu_layers=layers, steady=steady))
            print(f"  {name}: company on the {told} moves states by {found[told]:.2g}", flush=True)
    # Accelerate's products would choose other kernels for more rows; our builds leave them out.
    report.check(found["CPU"] == 0, f"{name}: the same bits in any company on the CPU")
    report.check(found["GPU, --steady"] == 0, f"{name}: the same bits in any company on the GPU with --steady")
    return found


def main() -> int:
    """Command line: see above."""
    args = shared.parse(__doc__)
    shared.build(args, [] if args.dry else ["--metal"])
    args.start = time.perf_counter()
    library, report = load(), shared.Report()
    report.device = ", ".join(f"{d.name}: {d.description} ({d.kind})" for d in library.devices())
    facts: dict[str, object] = {
        "machine": describe_machine(),
        "tags": wheel_tags(),
        "system": library.system_info(),
        "memory": [[d.name, d.memory_free, d.memory_total] for d in library.devices()],
    }
    for name, fact in facts.items():
        print(f"{name}: {fact}", flush=True)
    print(f"{report.device}; taps: {', '.join(available(library))}", flush=True)
    if args.dry:
        args.rounds = 1
        print("DRY RUN on the CPU: nothing here says anything about Metal")
    else:
        shared.need_device(report, library, "MTL", args)
        report.check(not any(d.name == "BLAS" for d in library.devices()), "the library has no BLAS device")
        report.check(available(library)[0] == "native", "the native tap is used")
        check_signatures(report, library)
    company: dict[str, dict[str, float]] = {}

    def write() -> None:
        shared.write_report(args, {**facts, "company": company, **asdict(report)})

    with shared.work_folder(args) as folder:
        for family in list(FAMILIES)[: 3 if args.dry else None]:
            if not shared.has_time(args, f"tiny {family}"):
                continue
            path = write_tiny_model(folder / f"{family}.gguf", family)
            shared.check_parity(report, path, f"tiny {family}", FLOAT, exact_only=True)
        company["tiny"] = check_company(report, write_tiny_model(folder / "company.gguf", "llama"), "tiny llama")
        write()
        for name, path, ours in shared.chosen(args, folder):
            print(f"{name}, {path.stat().st_size / 1e9:.2f} GB", flush=True)
            shared.measure(report, path, name, args, ours=ours)
            if not ours and shared.has_time(args, f"{name}: company"):
                company[name] = check_company(report, path, name)
            if ours:
                path.unlink()
            write()
    return shared.finish(report, args)


if __name__ == "__main__":
    raise SystemExit(main())
