"""What the loaded llama.cpp is and what it can do; `backend info` and `doctor` both show this."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import metadata

from .library import Device, Library
from .native_tap import choose_tap
from .rpc import has_rpc


@dataclass(frozen=True)
class About:
    """A description of the loaded library.

    - `version`: the version of llama-cpp-python.
    - `package`: the version as pip shows it, with the label of a build of ours.
    - `folder`: the folder of the libraries.
    - `system`: the features of the CPU and the build flags, in llama.cpp's words.
    - `devices`: the compute devices, the CPU included.
    - `tap`: the name of the active tap, "native" or "callback".
    - `tap_reason`: why that tap is active.
    - `native_tap`: the version of the native tap. None: a stock library, which has none.
    - `ordered_attention`: the version of the patched attention. None: a stock library, which has none.
    - `rpc`: whether the library can use devices of other machines.
    """

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
        """Return the description as a dict for JSON."""
        return asdict(self)

    def lines(self) -> list[tuple[str, str]]:
        """Return the description as (name, text) pairs for the terminal."""
        found = [
            ("llama-cpp-python", f"{self.package}, library in {self.folder}"),
            ("build", self.system),
        ]
        for device in self.devices:
            memory = f"{device.memory_free / 2**30:.1f} of {device.memory_total / 2**30:.1f} GiB free"
            found.append(("device", f"{device.name} ({device.kind}): {device.description}, {memory}"))
        own = "ordered: the same bits whatever else is in the batch and however many threads run, at full speed"
        found.append(("attention on CPU", "llama.cpp's own" if self.ordered_attention is None else own))
        return [*found, ("rpc", "yes" if self.rpc else "no"), ("tap", f"{self.tap} ({self.tap_reason})")]


def about(library: Library) -> About:
    """Describe a loaded library. Raises BackendError where LAGER_LITE_TAP forces a tap that is not there."""
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
