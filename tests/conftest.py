from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Settings of whoever runs the tests are not theirs.
os.environ["LAGER_LITE_CONFIG"] = ""
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real human-scored files; tests skip where LAGER_LITE_DATA names none."""
    folder = os.environ.get("LAGER_LITE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LAGER_LITE_DATA does not name the folder of human-scored data")
    return Path(folder)


@pytest.fixture(scope="session")
def sdist_folder() -> Path:
    """The unpacked source of llama-cpp-python, whose vendor/llama.cpp/models holds vocabularies."""
    folder = os.environ.get("LAGER_LITE_SDIST", "")
    if not folder or not (Path(folder) / "vendor" / "llama.cpp" / "models").is_dir():
        pytest.skip("LAGER_LITE_SDIST does not name an unpacked llama-cpp-python source")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A random llama of a few kilobytes with float32 weights and a chat template."""
    from tests.model_files.tiny import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "llama.gguf", "llama")
