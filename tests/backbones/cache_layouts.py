"""The model caches of other programs, rebuilt as those programs write them."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path

import pytest

COMMIT, OLDER = "a" * 40, "b" * 40
OLLAMA_MODEL = "application/vnd.ollama.image.model"


VARIABLES = [
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "XDG_CACHE_HOME",
    "OLLAMA_MODELS",
    "LLAMA_CACHE",
    "LAGER_LITE_MODEL",
]


def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make tmp_path the home folder, and let the environment name no cache. Returns it."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def hub_repository(hub: Path, repo: str, files: dict[str, bytes], commit: str = COMMIT, main: bool = True) -> Path:
    """A repository as huggingface_hub caches it: blobs by hash, a snapshot of relative links, refs/main
    with the commit and nothing behind it. Returns the snapshot."""
    root = hub / ("models--" + repo.replace("/", "--"))
    snapshot = root / "snapshots" / commit
    for name, data in files.items():
        blob = root / "blobs" / hashlib.sha256(data).hexdigest()
        link = snapshot / name
        for folder in (blob.parent, link.parent, root / "refs"):
            folder.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link.symlink_to(os.path.relpath(blob, link.parent))
    if main:
        (root / "refs" / "main").write_text(commit)
    return snapshot


def ollama_blob(models: Path, data: bytes) -> str:
    """Store a blob; returns its digest."""
    digest = hashlib.sha256(data).hexdigest()
    (models / "blobs").mkdir(parents=True, exist_ok=True)
    (models / "blobs" / f"sha256-{digest}").write_bytes(data)
    return f"sha256:{digest}"


def ollama_manifest(models: Path, model: bytes, extra: tuple[str, ...] = ()) -> bytes:
    """A manifest with the layers that a pulled model has, and their blobs."""
    layers = [
        (OLLAMA_MODEL, model),
        ("application/vnd.ollama.image.template", b"{{ .Prompt }}"),
        ("application/vnd.ollama.image.license", b"Apache"),
        ("application/vnd.ollama.image.params", b"{}"),
    ]
    layers += [(kind, b"extra") for kind in extra]
    config = b'{"model_format":"gguf","model_family":"llama"}'
    table = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": ollama_blob(models, config),
            "size": len(config),
        },
        "layers": [
            {"mediaType": kind, "digest": ollama_blob(models, data), "size": len(data)} for kind, data in layers
        ],
    }
    return json.dumps(table).encode()


def ollama_model(models: Path, name: str, model: bytes, extra: tuple[str, ...] = ()) -> Path:
    """A pulled model under manifests/, `name` as host/user/model/tag."""
    path = models / "manifests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ollama_manifest(models, model, extra))
    return path


def ollama_linked_model(models: Path, name: str, model: bytes) -> Path:
    """A model as newer versions keep it: the manifest is a blob, manifests-v2/ links to it, and it
    lists one manifest per kind of runner."""
    inner = ollama_blob(models, ollama_manifest(models, model))
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    listed = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.ollama.manifest.list.v2+json",
        "manifests": [
            {
                "mediaType": kind,
                "digest": ollama_blob(models, b'{"schemaVersion": 2, "layers": []}'),
                "runner": "mlx",
                "format": "safetensors",
            },
            {"mediaType": kind, "digest": inner, "runner": "ollama", "format": "gguf"},
        ],
    }
    blob = models / "blobs" / ollama_blob(models, json.dumps(listed).encode()).replace(":", "-")
    path = models / "manifests-v2" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(blob, path.parent))
    return path


def split(model: Path, folder: Path, stem: str) -> list[Path]:
    """A sound model as two parts, as llama-gguf-split writes them: the first holds the metadata."""
    from tests.model_files.mutants import Parts, take_apart

    whole = take_apart(model)
    half = len(whole.tensors) // 2
    cut = whole.tensors[half][3]
    shares = ((whole.tensors[:half], whole.data[:cut]), (whole.tensors[half:], whole.data[cut:]))
    paths = []
    for number, (tensors, data) in enumerate(shares):
        about = (
            ("split.no", 2, struct.pack("<H", number)),
            ("split.count", 2, struct.pack("<H", 2)),
            ("split.tensors.count", 5, struct.pack("<i", len(whole.tensors))),
        )
        moved = tuple((n, s, k, o - tensors[0][3]) for n, s, k, o in tensors)
        entries = (*whole.entries, *about) if number == 0 else about
        path = folder / f"{stem}-{number + 1:05d}-of-00002.gguf"
        path.write_bytes(Parts(whole.start, entries, moved, data).bytes())
        paths.append(path)
    return paths
