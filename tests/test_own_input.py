"""No function that reads one file and writes another lets the second be the first, through a link or not."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from lager_lite.data import convert, open_items, read_items
from lager_lite.errors import OutputError
from lager_lite.judging import Judge, score_file
from lager_lite.llama import Backbone, BackendOptions
from lager_lite.llama.quantize import requantize
from lager_lite.performance.pruning import prune
from lager_lite.prompts import make_rubric
from lager_lite.scaleout import merge_outputs
from lager_lite.tasks import open_pool, write_selection, write_states

RUBRIC = make_rubric("short", "Is it good?", template="{sections} {criterion}")
OPTIONS = BackendOptions.exact(threads=1)
WRITERS = {
    "convert": lambda data, model, out: convert(read_items(data), out),
    "score_file of a list": lambda data, model, out: scored(model, read_items(data).items, out),
    "score_file of a stream": lambda data, model, out: scored(model, open_items(data).items, out),
    "merge_outputs": lambda data, model, out: merge_outputs([], [data], out),
    "write_selection": lambda data, model, out: write_selection(open_pool(data), None, None, out, "side.csv"),
    "score_file onto the model": lambda data, model, out: scored(model, read_items(data).items, out),
    "prune": lambda data, model, out: prune(model, out, 0),
    "requantize": lambda data, model, out: requantize(model, out, "Q8_0"),
    "write_states": lambda data, model, out: states(model, out),
}
OF_THE_MODEL = ("score_file onto the model", "prune", "requantize", "write_states")


def scored(model, items, out):
    with Judge(model, rubric=RUBRIC, options=OPTIONS) as judge:
        return score_file(judge, items, out)


def states(model, out):
    with Backbone(model, OPTIONS) as backbone:
        return write_states(out, backbone, ["a"])


@pytest.mark.parametrize("link", [None, os.symlink, os.link], ids=["itself", "symlink", "hard link"])
@pytest.mark.parametrize("writer", WRITERS)
def test_an_output_that_is_read_is_refused(tmp_path, tiny_model, writer, link):
    data, model = tmp_path / "in.jsonl", tmp_path / "model.gguf"
    data.write_text(json.dumps({"id": "a", "instruction": "Say it.", "response": "One."}) + "\n")
    shutil.copy(tiny_model, model)
    own = model if writer in OF_THE_MODEL else data
    before, out = own.read_bytes(), own
    if link:
        out = tmp_path / f"out{own.suffix}"
        link(own, out)
    with pytest.raises(OutputError, match=r"would overwrite .*, which is read") as caught:
        WRITERS[writer](data, model, out)
    assert (own.read_bytes(), caught.value.hint) == (before, "name another file")
