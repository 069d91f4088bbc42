"""Models that other programs brought are found where they lie, and nothing is copied."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lager_lite.backbones.caches import everything, hub_folders, lmstudio_folders, ollama_folders
from lager_lite.backbones.catalog import read_catalog
from lager_lite.backbones.locate import locate_model
from lager_lite.errors import ModelFileError
from lager_lite.judging.judge import Judge
from lager_lite.records import Item
from tests.backbones.cache_layouts import (
    OLDER,
    empty_home,
    hub_repository,
    ollama_blob,
    ollama_linked_model,
    ollama_model,
    split,
)

Q4, Q8 = b"GGUF four", b"GGUF eight"


@pytest.fixture
def home(tmp_path, monkeypatch):
    return empty_home(tmp_path, monkeypatch)


@pytest.fixture
def hub(home):
    return home / ".cache" / "huggingface" / "hub"


def failure(name: str) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        locate_model(name)
    return caught.value


def tree(folder: Path) -> set[str]:
    return {str(p) for p in folder.rglob("*")}


def test_a_path_is_a_path_even_where_the_catalog_knows_the_name(home, monkeypatch):
    monkeypatch.chdir(home)
    (home / "qwen3-8b").write_bytes(Q4)
    assert locate_model("qwen3-8b").path == Path("qwen3-8b")
    assert locate_model("~/m.gguf").path == home / "m.gguf"
    monkeypatch.setenv("LAGER_LITE_MODEL", "other.gguf")
    assert locate_model(None) == locate_model(None).__class__(Path("other.gguf"), "named by LAGER_LITE_MODEL")


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, ".cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "x"}, "x/huggingface/hub"),
        ({"HF_HOME": "h", "XDG_CACHE_HOME": "x"}, "h/hub"),
        ({"HUGGINGFACE_HUB_CACHE": "old", "HF_HOME": "h"}, "old"),
        ({"HF_HUB_CACHE": "new", "HUGGINGFACE_HUB_CACHE": "old"}, "new"),
        ({"HF_HUB_CACHE": "", "HF_HOME": "h"}, "h/hub"),
    ],
)
def test_the_hugging_face_cache_lies_where_its_own_variables_say(home, monkeypatch, variables, folder):
    for name, value in variables.items():
        monkeypatch.setenv(name, str(home / value) if value else "")
    assert hub_folders() == [home / folder]


def test_a_hub_file_is_found_by_its_quantization_through_the_link_of_refs_main(hub, home):
    hub_repository(hub, "user/Model-GGUF", {"Model-Q4_K_M.gguf": b"stale"}, OLDER, main=False)
    snapshot = hub_repository(
        hub, "user/Model-GGUF", {"Model-Q4_K_M.gguf": Q4, "Model-Q8_0.gguf": Q8, "mmproj-Model-F16.gguf": b"eye"}
    )
    before = tree(home)
    found = locate_model("hf:user/Model-GGUF:q8_0")
    assert found.path == snapshot / "Model-Q8_0.gguf" and found.path.read_bytes() == Q8
    assert found.why == "hf:user/Model-GGUF:q8_0, in the Hugging Face cache, given by the program"
    assert locate_model("hf:user/Model-GGUF").path.read_bytes() == Q4
    assert tree(home) == before


def test_a_file_that_only_an_older_snapshot_holds_is_found(hub):
    old = hub_repository(hub, "user/m", {"m-Q6_K.gguf": Q8}, OLDER, main=False)
    hub_repository(hub, "user/m", {"m-Q4_0.gguf": Q4})
    assert locate_model("hf:user/m:Q6_K").path == old / "m-Q6_K.gguf"


def test_a_cache_of_llama_cpp_with_the_hubs_layout_is_searched_too(home, monkeypatch):
    monkeypatch.setenv("LLAMA_CACHE", str(home / "llama"))
    snapshot = hub_repository(home / "llama", "ggml-org/m-GGUF", {"m-Q4_0.gguf": Q4})
    assert locate_model("hf:ggml-org/m-GGUF").path == snapshot / "m-Q4_0.gguf"


def test_what_the_hub_cache_has_not_is_an_error_with_the_command_that_brings_it(hub):
    error = failure("hf:user/none:Q5_K_M")
    assert error.message == f"hf:user/none:Q5_K_M is not in the Hugging Face cache ({hub})"
    assert error.hint == 'hf download user/none --include "*Q5_K_M*.gguf"'
    hub_repository(hub, "user/two", {"m-Q5_K_M.gguf": Q4, "m-Q8_0.gguf": Q8})
    assert failure("hf:user/two").message == "hf:user/two has several files; there are: Q5_K_M, Q8_0"
    assert failure("hf:user/two:Q2_K").hint == "name one of them, for instance hf:user/two:Q5_K_M"


def test_a_link_whose_blob_is_gone_is_named(hub):
    snapshot = hub_repository(hub, "user/m", {"m-Q8_0.gguf": Q8})
    (snapshot / "m-Q8_0.gguf").resolve().unlink()
    assert failure("hf:user/m").message == f"hf:user/m: {snapshot}/m-Q8_0.gguf links to a file that is missing"


@pytest.mark.parametrize(
    "name",
    [
        "hf:",
        "hf:user",
        "hf:../etc/passwd",
        "hf:a/b/c",
        "hf:../x",
        "ollama:",
        "ollama:../../x",
        "ollama:a b",
        "lmstudio:x",
    ],
)
def test_a_name_that_is_none_is_refused(home, name):
    assert "is not the name of a model" in failure(name).message


def test_an_ollama_model_is_its_blob(home):
    models = home / ".ollama" / "models"
    ollama_model(models, "registry.ollama.ai/library/llama3.2/1b", Q4)
    ollama_model(models, "registry.ollama.ai/library/llama3.2/latest", Q8)
    ollama_model(models, "registry.ollama.ai/someone/judge/latest", b"GGUF judge")
    ollama_model(models, "hf.co/user/Model-GGUF/Q8_0", b"GGUF hub")
    path = locate_model("ollama:llama3.2:1b").path
    assert path.read_bytes() == Q4 and path == models / "blobs" / ollama_blob(models, Q4).replace(":", "-")
    assert locate_model("ollama:llama3.2").path.read_bytes() == Q8
    assert locate_model("ollama:someone/judge").path.read_bytes() == b"GGUF judge"
    assert locate_model("ollama:hf.co/user/Model-GGUF:Q8_0").path.read_bytes() == b"GGUF hub"


def test_ollama_models_names_the_folder(home, monkeypatch):
    monkeypatch.setenv("OLLAMA_MODELS", str(home / "big"))
    assert ollama_folders() == [home / "big"]
    ollama_model(home / "big", "registry.ollama.ai/library/m/latest", Q4)
    assert locate_model("ollama:m").path.read_bytes() == Q4


def test_ollamas_linked_manifests_are_read_and_the_gguf_among_the_runners_is_taken(home):
    models = home / ".ollama" / "models"
    ollama_linked_model(models, "ollama.com/library/m/latest", Q4)
    assert locate_model("ollama:m").path.read_bytes() == Q4
    assert [f.name for f in everything()] == ["ollama:m:latest"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{not json", "cannot be read as an Ollama manifest"),
        (b"[]", "is not an Ollama manifest"),
        (b"{}", "is not an Ollama manifest: it has no layers"),
        (b'{"layers": []}', "names 0 GGUF files, expected 1"),
        (
            json.dumps(
                {"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../x"}]}
            ).encode(),
            "is not a sha256 digest",
        ),
        (
            json.dumps(
                {"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:" + "0" * 64}]}
            ).encode(),
            "which is missing",
        ),
        (b"[" * 100_000, "cannot be read as an Ollama manifest"),
    ],
)
def test_a_manifest_that_is_none_is_refused(home, content, message):
    manifest = home / ".ollama/models/manifests/registry.ollama.ai/library/m/latest"
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(content)
    assert message in failure("ollama:m").message


def test_an_ollama_model_with_an_adapter_is_not_judged_without_it(home):
    ollama_model(
        home / ".ollama/models", "registry.ollama.ai/library/m/latest", Q4, ("application/vnd.ollama.image.adapter",)
    )
    assert failure("ollama:m").message.endswith("adds an adapter to its model")
    assert failure("ollama:n").hint == "ollama pull n:latest, or set OLLAMA_MODELS to the folder that has it"


def test_an_lm_studio_model_is_found_in_each_of_its_homes(home):
    assert lmstudio_folders() == [home / ".lmstudio/models", home / ".cache/lm-studio/models"]
    (home / ".lmstudio-home-pointer").write_text(f"{home}/elsewhere\n")
    assert lmstudio_folders()[0] == home / "elsewhere/models"
    for place, model in (("elsewhere", "one"), (".lmstudio", "two"), (".cache/lm-studio", "three")):
        folder = home / place / "models" / "publisher" / f"{model}-GGUF"
        folder.mkdir(parents=True)
        (folder / f"{model}-Q4_K_M.gguf").write_bytes(Q4)
        assert locate_model(f"lmstudio:publisher/{model}-GGUF").path == folder / f"{model}-Q4_K_M.gguf"
    assert failure("lmstudio:publisher/four").message.startswith(
        "lmstudio:publisher/four is not among LM Studio's models"
    )


def test_a_split_model_in_the_hub_cache_is_loaded_from_its_first_part_and_judges_as_the_whole(hub, home, tiny_model):
    first, second = split(tiny_model, home, "m-Q4_K_M")
    hub_repository(hub, "user/m", {f"Q4_K_M/{p.name}": p.read_bytes() for p in (first, second)})
    path = locate_model("hf:user/m:Q4_K_M").path
    assert path.name == "m-Q4_K_M-00001-of-00002.gguf"
    item = Item("a", {"instruction": "I", "response": "R"})
    with Judge(path) as judge, Judge(tiny_model) as whole:
        assert judge.info.fingerprint == whole.info.fingerprint and len(judge.info.paths) == 2
        assert [j.score for j in judge.score([item])] == [j.score for j in whole.score([item])]


def test_a_name_of_the_catalog_is_looked_up_in_the_caches(hub, home):
    assert failure("llama-3.1-8b-instruct").hint == (
        'hf download bartowski/Meta-Llama-3.1-8B-Instruct-GGUF --include "*Q4_K_M*.gguf"'
    )
    folder = home / ".lmstudio/models/bartowski/Meta-Llama-3.1-8B-Instruct-GGUF"
    folder.mkdir(parents=True)
    (folder / "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf").write_bytes(Q4)
    assert locate_model("llama-3.1-8b-instruct").path.parent == folder
    hub_repository(hub, "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", {"Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf": Q8})
    assert locate_model("llama-3.1-8b-instruct").path.read_bytes() == Q8


def test_the_catalog_names_the_papers_six_backbones_and_a_place_for_each():
    entries = read_catalog()
    assert sum(e.paper for e in entries.values()) == 6
    assert all(bool(e.package) != bool(e.repo) for e in entries.values())
    assert all(e.quant for e in entries.values() if e.repo)


def test_old_downloads_of_llama_cpp_and_later_parts_are_told_apart(home):
    folder = home / ".cache/llama.cpp"
    folder.mkdir(parents=True)
    for name in ("user_m_m-Q4_0.gguf", "x-00001-of-00002.gguf", "x-00002-of-00002.gguf", "m.json"):
        (folder / name).write_bytes(Q4)
    assert [os.path.basename(f.name) for f in everything()] == ["user_m_m-Q4_0.gguf", "x-00001-of-00002.gguf"]


@pytest.mark.parametrize(("name", "meant"), [("phi", ""), ("Qwen2.5", "; did you mean qwen2.5-14b-instruct?")])
def test_a_word_that_names_no_model_says_where_the_names_are(home, name, meant):
    with pytest.raises(ModelFileError) as caught:
        locate_model(name)
    assert caught.value.message == f"{name} is neither a file nor a name of the catalog{meant}"
    assert "lager-lite models list" in str(caught.value.hint)
