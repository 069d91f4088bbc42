"""`lager-lite models`: every GGUF of this machine in one table."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from lager_lite.backbones.inventory import expected_memory, list_models
from lager_lite.backbones.model_file import open_model
from tests.backbones.cache_layouts import empty_home, hub_repository, ollama_model, split
from tests.model_files.tiny import write_tiny_model


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "cache" / "readings.sqlite"))
    monkeypatch.setattr("lager_lite.backbones.inventory.packaged", lambda package: None)
    return empty_home(tmp_path, monkeypatch)


@pytest.fixture
def run(invoke):
    return partial(invoke, "models")


def test_every_cache_is_listed_once_with_what_the_file_says(home, run, tiny_model):
    data = tiny_model.read_bytes()
    hub = home / ".cache/huggingface/hub"
    first = hub_repository(hub, "user/m", {"m-Q8_0.gguf": data})
    hub_repository(hub, "user/m", {"m-Q8_0.gguf": data}, "b" * 40, main=False)
    ollama_model(home / ".ollama/models", "registry.ollama.ai/library/llama/1b", data)
    studio = home / ".lmstudio/models/pub/m-GGUF"
    studio.mkdir(parents=True)
    split(tiny_model, studio, "m-Q4_0")
    before = {p for p in home.rglob("*")}
    done = run("list", "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [(r["name"], r["source"]) for r in rows] == [
        ("hf:user/m:Q8_0", "Hugging Face"),
        ("ollama:llama:1b", "Ollama"),
        ("lmstudio:pub/m-GGUF:Q4_0", "LM Studio"),
    ]
    assert rows[0]["path"] == str(first / "m-Q8_0.gguf")
    assert {
        (r["architecture"], r["quantization"], r["blocks"], r["context"], r["judges"], r["reason"]) for r in rows
    } == {("llama", "F32", 3, 4096, True, "")}
    assert rows[0]["size"] == rows[1]["size"] == len(data) and rows[2]["size"] > len(data)
    assert {p for p in home.rglob("*")} == before


def test_what_cannot_judge_is_a_row_with_its_reason(home, tiny_model):
    folder = home / "some"
    folder.mkdir()
    (folder / "a-broken.gguf").write_bytes(tiny_model.read_bytes()[:-500])
    (folder / "b-adapter.gguf").write_bytes(
        write_tiny_model(home / "x", "llama", overrides={"general.type": "adapter"}).read_bytes()
    )
    (folder / "c-half-00001-of-00002.gguf").write_bytes(split(tiny_model, home, "c-half")[0].read_bytes())
    (folder / "d-gone.gguf").symlink_to(home / "nothing")
    rows = list_models([folder])
    assert [(Path(r.path).name, r.judges) for r in rows] == [
        ("a-broken.gguf", False),
        ("b-adapter.gguf", False),
        ("c-half-00001-of-00002.gguf", False),
        ("d-gone.gguf", False),
    ]
    assert rows[0].reason.startswith("is truncated: tensor output.weight ends at byte")
    assert rows[1].reason == "is a LoRA adapter, not a whole model"
    assert rows[2].reason == "is part 1 of 2; missing: c-half-00002-of-00002.gguf"
    assert rows[3].reason.startswith("there is no model file")


def test_the_table_names_the_model_as_m_takes_it_and_reasons_go_to_stderr(home, run, tiny_model):
    (home / "f").mkdir()
    (home / "f" / "bad.gguf").write_bytes(b"GGUF")
    hub_repository(home / ".cache/huggingface/hub", "user/m", {"m-Q8_0.gguf": tiny_model.read_bytes()})
    done = run("list", home / "f")
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == [
        "hf:user/m:Q8_0",
        str(home / "f" / "bad.gguf"),
    ]
    assert done.stdout.splitlines()[2].split()[-1] == "yes"
    assert f"{home}/f/bad.gguf: is damaged or truncated" in done.stderr
    assert "2 models, 1 can judge" in done.stderr


def test_an_empty_machine_prints_nothing_and_a_folder_that_is_none_is_an_error(home, run):
    done = run("list")
    assert (done.exit_code, done.stdout) == (0, "")
    done = run("list", home / "none")
    assert done.exit_code == 1 and f"Error: {home}/none is not a folder" in done.stderr


def test_the_catalog_is_printed_and_written_as_json(home, run):
    assert "hf:" not in run("catalog").stdout and "Qwen/Qwen3-8B-GGUF:Q4_K_M" in run("catalog").stdout
    assert {"name", "package", "repo", "quant", "note", "paper"} == set(json.loads(run("catalog", "--json").stdout)[0])


def test_expected_memory_counts_weights_cache_and_batch(tiny_model):
    file = open_model(tiny_model)
    # llama: 3 blocks, 2 key heads of 16 numbers, keys and values of 2 bytes, a batch of 512; 64 wide, 128 inside.
    cache = 2 * 3 * 2 * (16 + 16) * (1000 + 512)
    batch = 4 * 512 * (4 * 64 + 2 * 128) + 4 * 65 * file.info.n_vocab
    assert expected_memory(file, 1000) == file.info.size_bytes + cache + batch
