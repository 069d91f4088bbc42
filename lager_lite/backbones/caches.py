"""Where other programs keep their models on this machine: Hugging Face, Ollama, LM Studio, llama.cpp.

Everything is read where it lies; nothing is copied, changed or downloaded. The layouts are those that
the programs document or write: huggingface_hub's cache (`models--user--repo` with refs, snapshots and
blobs), Ollama's `manifests` and `manifests-v2` beside `blobs`, LM Studio's publisher/model/file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from ..system import cache_base, or_nowhere

PREFERRED_QUANT = "Q4_K_M"
_REPO = re.compile(r"^(?P<user>[\w.-]+)/(?P<repo>[\w.-]+?)(?::(?P<quant>[\w.-]+))?$")
_OLLAMA = re.compile(r"^(?P<path>[\w.-]+(?:/[\w.-]+){0,3})(?::(?P<tag>[\w.-]+))?$")
_LATER_PART = re.compile(r"-(?!00001-of)\d{5}-of-\d{5}\.gguf$")
_DIGEST = re.compile(r"^sha256[:-][0-9a-fA-F]{64}$")
_MANIFEST_LIMIT = 4 * 2**20
_MODEL_LAYER = "application/vnd.ollama.image.model"
_ADAPTER_LAYER = "application/vnd.ollama.image.adapter"
_OLLAMA_HOSTS = ("registry.ollama.ai", "ollama.com")


@dataclass(frozen=True)
class Found:
    """One model in a cache.

    - `name`: what `-m` takes.
    - `path`: its first file; None where `problem` says why there is none.
    - `source`: whose cache it is.
    - `problem`: why the model cannot be used, "" where it can.
    """

    name: str
    path: Path | None
    source: str
    problem: str = ""


def hub_folders() -> list[Path]:
    """Hugging Face caches, by the rules of huggingface_hub; llama.cpp's LLAMA_CACHE has the same layout."""
    home = _named("HF_HOME") or (_named("XDG_CACHE_HOME") or or_nowhere(Path.home) / ".cache") / "huggingface"
    hub = _named("HF_HUB_CACHE") or _named("HUGGINGFACE_HUB_CACHE") or home / "hub"
    return [folder for folder in (hub, _named("LLAMA_CACHE")) if folder is not None]


def ollama_folders() -> list[Path]:
    """Ollama's model folders: OLLAMA_MODELS, the user's, and that of the Linux service."""
    named = _named("OLLAMA_MODELS")
    return (
        [named] if named else [or_nowhere(Path.home) / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")]
    )


def lmstudio_folders() -> list[Path]:
    """LM Studio's model folders: first that of the home which its pointer file names, then the usual ones."""
    usual = [or_nowhere(Path.home) / ".lmstudio", or_nowhere(Path.home) / ".cache" / "lm-studio"]
    try:
        pointed = (or_nowhere(Path.home) / ".lmstudio-home-pointer").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        pointed = ""
    homes = [Path(pointed), *usual] if pointed else usual
    return list(dict.fromkeys(home / "models" for home in homes))


def llama_cpp_folder() -> Path:
    """Where older versions of llama.cpp keep downloads, as plain files."""
    return _named("LLAMA_CACHE") or or_nowhere(lambda: cache_base("llama.cpp"))


def find_hub(spec: str) -> Path:
    """The file of `user/repo[:quant]` in a Hugging Face cache.

    The revision of `refs/main` is taken where it holds such a file, else the newest snapshot that does.
    Raises ModelFileError where there is none, with the command that downloads it.
    """
    match = _match(_REPO, spec, "hf:user/repo or hf:user/repo:Q4_K_M")
    user, repo, quant = match["user"], match["repo"], match["quant"]
    seen: list[Path] = []
    for folder in hub_folders():
        for snapshot in _snapshots(folder / f"models--{user}--{repo}"):
            files = gguf_files(snapshot)
            seen += files
            if _fitting(files, quant):
                return choose_file(files, quant, f"hf:{user}/{repo}")
    if seen:
        return choose_file(seen, quant, f"hf:{user}/{repo}")
    pattern = f"*{quant or PREFERRED_QUANT}*.gguf"
    raise ModelFileError(
        f"hf:{spec} is not in the Hugging Face cache ({', '.join(map(str, hub_folders()))})",
        f'hf download {user}/{repo} --include "{pattern}"',
    )


def find_lmstudio(spec: str) -> Path:
    """The file of `publisher/model[:quant]` in LM Studio's folders.

    Raises ModelFileError where there is none.
    """
    match = _match(_REPO, spec, "lmstudio:publisher/model or lmstudio:publisher/model:Q4_K_M")
    for folder in lmstudio_folders():
        files = gguf_files(folder / match["user"] / match["repo"])
        if files:
            return choose_file(files, match["quant"], f"lmstudio:{match['user']}/{match['repo']}")
    raise ModelFileError(
        f"lmstudio:{spec} is not among LM Studio's models ({', '.join(map(str, lmstudio_folders()))})",
        "run lager-lite models list to see what is there; download more in LM Studio's own window, or with `lms get`",
    )


def find_ollama(spec: str) -> Path:
    """The blob of `name[:tag]`, `user/name[:tag]` or `host/user/name[:tag]` in Ollama's folders.

    Raises ModelFileError where there is none, and for a model of several files.
    """
    match = _match(_OLLAMA, spec, "ollama:name or ollama:name:tag")
    parts, tag = match["path"].split("/"), match["tag"] or "latest"
    parts = ["library", *parts] if len(parts) == 1 else parts
    hosts = [()] if len(parts) > 2 else [(host,) for host in _OLLAMA_HOSTS]
    for folder in ollama_folders():
        for kind in ("manifests-v2", "manifests"):
            for host in hosts:
                manifest = folder.joinpath(kind, *host, *parts, tag)
                if manifest.is_file():
                    return _blob(manifest, folder)
    raise ModelFileError(
        f"ollama:{spec} is not among Ollama's models ({', '.join(map(str, ollama_folders()))})",
        f"ollama pull {match['path']}:{tag}, or set OLLAMA_MODELS to the folder that has it",
    )


def everything() -> Iterator[Found]:
    """Every GGUF model in the caches of this machine; a split model comes once."""
    for folder in hub_folders():
        for repository in sorted(folder.glob("models--*--*")):
            user, _, name = repository.name.removeprefix("models--").partition("--")
            files = dict.fromkeys(f for snapshot in _snapshots(repository) for f in gguf_files(snapshot))
            yield from (Found(f"hf:{user}/{name}:{_quant(f)}", f, "Hugging Face", _missing(f)) for f in files)
    for folder in ollama_folders():
        yield from _ollama_models(folder)
    for folder in lmstudio_folders():
        for file in gguf_files(folder, depth=3):
            publisher = file.relative_to(folder).parts
            name = f"lmstudio:{publisher[0]}/{publisher[1]}:{_quant(file)}" if len(publisher) > 2 else str(file)
            yield Found(name, file, "LM Studio", _missing(file))
    yield from (Found(str(f), f, "llama.cpp", _missing(f)) for f in gguf_files(llama_cpp_folder(), depth=1))


def gguf_files(folder: Path, depth: int = 3) -> list[Path]:
    """The GGUF files below a folder, at most `depth` levels down; of a split model only the first part."""
    found: list[Path] = []
    for level in range(depth):
        try:
            found += folder.glob("*/" * level + "*.gguf")
        except OSError:
            break
    return sorted(f for f in found if not _LATER_PART.search(f.name) and not f.is_dir())


def choose_file(files: list[Path], quant: str | None, name: str) -> Path:
    """The file of the quantization `quant`; for None the only file, or the one of PREFERRED_QUANT.

    `name` is the repository for messages. Raises ModelFileError naming the choices, and for a link to a
    file that is gone.
    """
    fitting = _fitting(files, quant)
    if not fitting:
        there = ", ".join(sorted({_quant(f) for f in files}))
        what = f"no file of quantization {quant!r}" if quant else "several files"
        raise ModelFileError(
            f"{name} has {what}; there are: {there}",
            f"name one of them, for instance {name}:{_quant(sorted(files)[0])}",
        )
    problem = _missing(fitting[0])
    if problem:
        raise ModelFileError(f"{name}: {problem}", "download the file again with the program that brought it")
    return fitting[0]


def _fitting(files: list[Path], quant: str | None) -> list[Path]:
    models = [f for f in files if "mmproj" not in f.name.lower()]
    if quant is None and len(models) == 1:
        return models
    return [f for f in models if _quant(f).lower() == (quant or PREFERRED_QUANT).lower()]


def _quant(file: Path) -> str:
    """What tells the files of one repository apart: the quantization in the name, or else the name."""
    match = re.search(
        r"[-._]((?:UD-)?I?Q\d\w*|BF16|F16|F32|FP16|FP32|MXFP4\w*|TQ\d_\d)(?=[-.])", file.name, re.IGNORECASE
    )
    return match[1] if match else file.name.removesuffix(".gguf")


def _snapshots(repository: Path) -> list[Path]:
    """Snapshot folders of a cached repository: the one of refs/main first, then the newest."""
    try:
        main = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
        folders = sorted((repository / "snapshots").iterdir(), key=lambda f: -f.stat().st_mtime)
    except (OSError, UnicodeDecodeError):
        main = ""
        folders = sorted((repository / "snapshots").glob("*"))
    return sorted(folders, key=lambda f: f.name != main)


def _ollama_models(folder: Path) -> Iterator[Found]:
    seen: set[str] = set()
    for kind in ("manifests-v2", "manifests"):
        for manifest in sorted((folder / kind).glob("*/*/*/*")):
            host, user, model, tag = manifest.relative_to(folder / kind).parts
            path = "/".join(([] if host in _OLLAMA_HOSTS else [host]) + ([] if user == "library" else [user]) + [model])
            name = f"ollama:{path}:{tag}"
            if name in seen or manifest.is_dir():
                continue
            seen.add(name)
            try:
                blob = _blob(manifest, folder)
            except ModelFileError as error:
                yield Found(name, None, "Ollama", error.message)
            else:
                yield Found(name, blob, "Ollama")


def _blob(manifest: Path, folder: Path) -> Path:
    layers = _layers(manifest, folder)
    kinds = [layer.get("mediaType") for layer in layers]
    if _ADAPTER_LAYER in kinds:
        raise ModelFileError(
            f"{manifest} adds an adapter to its model", "merge it into the model first, or use the plain model"
        )
    if kinds.count(_MODEL_LAYER) != 1:
        raise ModelFileError(
            f"{manifest} names {kinds.count(_MODEL_LAYER)} GGUF files, expected 1", "use another tag of the model"
        )
    path = _digest_path(layers[kinds.index(_MODEL_LAYER)], folder, manifest)
    if not path.is_file():
        raise ModelFileError(f"{manifest} names {path.name}, which is missing", "pull the model again")
    return path


def _layers(manifest: Path, folder: Path) -> list[dict[str, Any]]:
    table = _manifest(manifest)
    for child in table.get("manifests") or []:
        # A list names one manifest per kind of runner, and the one with a GGUF is the one we want.
        inner = (
            child
            if not isinstance(child, dict) or child.get("layers")
            else _manifest(_digest_path(child, folder, manifest))
        )
        if any(isinstance(la, dict) and la.get("mediaType") == _MODEL_LAYER for la in inner.get("layers") or []):
            table = inner
            break
    layers = table.get("layers")
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise ModelFileError(f"{manifest} is not an Ollama manifest: it has no layers", "pull the model again")
    return layers


def _manifest(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MANIFEST_LIMIT:
            raise ValueError("it is too large")
        table = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} cannot be read as an Ollama manifest: {error}", "pull the model again") from None
    if not isinstance(table, dict):
        raise ModelFileError(f"{path} is not an Ollama manifest", "pull the model again")
    return table


def _digest_path(layer: Mapping[str, Any], folder: Path, manifest: Path) -> Path:
    digest = layer.get("digest")
    if not isinstance(digest, str) or not _DIGEST.match(digest):
        raise ModelFileError(
            f"{manifest} names the blob {digest!r}, which is not a sha256 digest", "pull the model again"
        )
    return folder / "blobs" / digest.replace(":", "-")


def _match(pattern: re.Pattern[str], spec: str, example: str) -> re.Match[str]:
    match = pattern.match(spec)
    if match is None or ".." in spec.split("/"):
        raise ModelFileError(f"{spec!r} is not the name of a model", f"write it as {example}")
    return match


def _missing(file: Path) -> str:
    return "" if file.is_file() else f"{file} links to a file that is missing"


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(os.path.expanduser(value)) if value else None
