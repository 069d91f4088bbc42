"""What the loaded llama.cpp is and can: for `backend info` and `doctor`, which must agree."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import metadata

from .library import Device, Library
from .native_tap import choose_tap
from .rpc import has_rpc


@dataclass(frozen=True)
class About:
    """version: of llama-cpp-python; package: as pip shows it; folder: of the libraries; system: CPU
    features and build flags; tap, tap_reason: which tap is active and why; native_tap: its version, None
    on a stock library; ordered_attention: version of the
    patch's attention, None likewise; rpc: whether servers can be used."""

    version: str
    package: str
    folder: str
    system: str
    devices: tuple[Device, ...]
    tap: str
    tap_reason: str
    native_tap: int | None
    ordered_attention: int | None
    rpc: bool

    def to_dict(self) -> dict[str, object]:
        """As a dictionary for JSON."""
        return asdict(self)

    def lines(self) -> list[tuple[str, str]]:
        """As (name, text) for the terminal."""
        found = [
            ("llama-cpp-python", f"{self.package}, library in {self.folder}"),
            ("build", self.system),
        ]
        for device in self.devices:
            memory = f"{device.memory_free / 2**30:.1f} of {device.memory_total / 2**30:.1f} GiB free"
            found.append(("device", f"{device.name} ({device.kind}): {device.description}, {memory}"))
        own = "ordered, any company and any number of threads give the same bits at the speed of a matrix product"
        found.append(("attention on CPU", "llama.cpp's own" if self.ordered_attention is None else own))
        return [*found, ("rpc", "yes" if self.rpc else "no"), ("tap", f"{self.tap} ({self.tap_reason})")]


def about(library: Library) -> About:
    """Describe a loaded library. Raises BackendError as `choose_tap` does."""
    try:
        package = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        package = library.version
    choice = choose_tap(library)
    return About(
        version=library.version,
        package=package,
        folder=str(library.folder),
        system=library.system_info().strip(" |"),
        devices=tuple(library.devices()),
        tap=choice.name,
        tap_reason=choice.reason,
        native_tap=library.native_tap_version(),
        ordered_attention=library.ordered_attention_version(),
        rpc=has_rpc(library),
    )
