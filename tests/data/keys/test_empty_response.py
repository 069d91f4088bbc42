"""Where nothing stands under the key of the response, the row has none: no other text is judged in its place."""

from __future__ import annotations

import pytest

from lager_lite.data import ALIASES, read_items
from tests.data.in_files import error, write

OLD = [{"role": "user", "content": "U"}, {"role": "assistant", "content": "OLD"}]
WHOLE = {"instruction": "I", "response": "R"}


@pytest.mark.parametrize("empty", ["", None, float("nan")])
@pytest.mark.parametrize(
    "row",
    [
        {"question": "Q", "prediction": ..., "answer": "GOLD"},
        {"question": "Q", "Response": ..., "output": "O"},
        {"messages": [*OLD, {"role": "user", "content": "U2"}], "response": ...},
        {"messages": OLD, "output": ...},
        {"instruction": "I", "input": "x", "output": "O", "response": ...},
        {"prompt": "P", "completion": ..., "summary": "S"},
    ],
)
def test_no_other_text_is_judged_for_an_empty_response(tmp_path, row, empty):
    row = {key: empty if value is ... else value for key, value in row.items()}
    *_, item = read_items(write(tmp_path / "in.jsonl", WHOLE, row)).items
    assert "response" not in item.fields
    assert item.fields.get("reference") == row.get("answer")


def test_a_row_with_an_empty_response_decides_no_layout(tmp_path):
    row = {"input": "I", "response": "R", "output": "X", "score_rubric": {"criteria": "c"}}
    data = read_items(write(tmp_path / "in.jsonl", {**row, "response": ""}, row))
    assert (data.layout, [i.fields.get("response") for i in data.items]) == ("biggen", [None, "R"])


def test_an_empty_cell_is_an_empty_response(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id,question,response,output\na,Q,,O\nb,Q,R,O\n")
    assert [i.fields.get("response") for i in read_items(path).items] == [None, "R"]
    path.write_text("id,question,response,output\na,Q,,O\n")
    found = error(path)
    assert found.message == f"{path}:2: no response; the row has the keys id, question, output"
    assert found.hint == "name the key with --map response=KEY"
    assert read_items(path, ignore=("response",)).items[0].fields["response"] == "O"


@pytest.mark.parametrize("key", [key for key in ALIASES["response"] if key not in ("answer", "summary")])
def test_an_answer_beside_any_other_response_is_the_reference(tmp_path, key):
    (item,) = read_items(write(tmp_path / "in.jsonl", {"question": "Q", "answer": "GOLD", key: "R"})).items
    assert (item.fields["response"], item.fields["reference"]) == ("R", "GOLD")
