"""Files in, items out: our own rows, the public layouts, and writing that is whole or absent."""

from __future__ import annotations

import io
import json
import os
from decimal import Decimal
from types import SimpleNamespace

import pytest

from lager_lite.data.fields import item_row
from lager_lite.data.items import convert, load_demo, read_items
from lager_lite.data.layouts import HELPSTEER, LAYOUTS
from lager_lite.data.writing import write_rows
from lager_lite.errors import DataError, OutputError


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def error(*args, **kwargs):
    with pytest.raises(DataError) as caught:
        read_items(*args, **kwargs)
    return caught.value


def bare(items):
    return [(i.id, dict(i.fields), dict(i.human), i.group, i.rendered) for i in items]


# --- our own rows ---------------------------------------------------------------------------------


def test_aliases_ids_and_scores_of_a_jsonl_file(tmp_path):
    path = write(
        tmp_path / "in.jsonl",
        {"question": "Q", "answer": "A", "expected": "E", "human_score": [4, 5.5], "note": "n"},
        {"id": "b", "prompt": "Q", "actual_output": 42, "score": "3", "flag": True},
        {"input": "Q2", "output": "", "scores": {"fluency": 2, "depth": [1, None]}},
    )
    data = read_items(path)
    first, second, third = data.items
    assert first.fields == {"instruction": "Q", "response": "A", "reference": "E", "note": "n"}
    assert (first.id, dict(first.human), first.where) == ("1", {"": (4.0, 5.5)}, f"{path}:1")
    assert (second.id, second.fields["response"], dict(second.human)) == ("b", "42", {"": (3.0,)})
    assert (third.id, third.fields["response"], dict(third.human)) == ("3", "", {"fluency": (2.0,), "depth": (1.0,)})
    assert first.group == second.group != third.group
    assert data.layout == "rows" and data.criteria == ("", "fluency", "depth")
    assert data.message == f"{path}: 3 items, 2 groups, 5 scores (fluency, depth)"


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "tsv", "parquet"])
def test_one_table_reads_the_same_from_every_format(tmp_path, suffix):
    rows = [
        {"id": "a", "source": "S, s\nt", "response": "R\t1", "score": "4"},
        {"id": "b", "source": 'q"', "response": "ü"},
    ]
    path = tmp_path / f"in.{suffix}"
    if suffix == "parquet":
        pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs the extra 'parquet'")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        write_rows(path, rows)
    assert [(i.id, dict(i.fields), dict(i.human)) for i in read_items(path).items] == [
        ("a", {"source": "S, s\nt", "response": "R\t1"}, {"": (4.0,)}),
        ("b", {"source": 'q"', "response": "ü"}, {}),
    ]


def test_json_lists_objects_by_id_and_wrapped_lists_are_rows(tmp_path):
    row = {"response": "R"}
    for content, ids in (
        ([row, row], ["1", "2"]),
        ({"x": row, "y": row}, ["x", "y"]),
        ({"version": 1, "data": [row, row]}, ["1", "2"]),
        (row, ["1"]),
    ):
        path = tmp_path / "in.json"
        path.write_text(json.dumps(content))
        assert [i.id for i in read_items(path).items] == ids


def test_json_lines_under_a_json_suffix_are_read_line_by_line(tmp_path):
    path = write(tmp_path / "in.json", {"response": "a"}, {"response": "b"})
    assert [i.where for i in read_items(path).items] == [f"{path}:1", f"{path}:2"]


def test_stdin_is_told_apart_by_its_first_character(monkeypatch):
    for text, responses in (
        ('{"response": "a"}\n{"response": "b"}\n', ["a", "b"]),
        ('[{"response": "a"}]', ["a"]),
        ("id,response\n1,a\n2,b\n", ["a", "b"]),
        ("id\tresponse\n1\ta, b\n", ["a, b"]),
    ):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
        data = read_items("-")
        assert [i.fields["response"] for i in data.items] == responses
        assert data.items[0].where.startswith("stdin")


def test_a_byte_order_mark_windows_lines_and_blank_lines_are_fine(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"response": "a\\u2028b"}\r\n\r\n{"response": "c"}\r\n')
    assert [(i.fields["response"], i.where) for i in read_items(path).items] == [
        ("a\u2028b", f"{path}:1"),
        ("c", f"{path}:3"),
    ]


def test_a_mapping_names_keys_of_fields_scores_group_and_own_fields(tmp_path):
    row = {"response": "wrong one", "text": "R", "who": "Ann", "f": 3, "url": "u1"}
    path = write(tmp_path / "in.jsonl", row)
    item = read_items(path, {"response": "text", "person": "who", "score:fluency": "f", "group": "url"}).items[0]
    assert item.fields == {"response": "R", "person": "Ann"}
    assert (dict(item.human), item.group) == ({"fluency": (3.0,)}, "u1")


def test_a_mapping_to_a_key_that_no_row_has_is_an_error(tmp_path):
    path = write(tmp_path / "in.jsonl", {"response": "R", "id": "1"})
    found = error(path, {"response": "txt"})
    assert found.message == f"{path}: no row has the key of response=txt"
    assert found.hint == "the keys are: id, response"


def test_rows_without_response_are_items_where_others_have_one(tmp_path):
    path = write(tmp_path / "in.jsonl", {"response": "R"}, {"prompt": "Q", "text": "t"}, {"response": None})
    data = read_items(path)
    assert [i.fields.get("response") for i in data.items] == ["R", None, None]
    assert data.message == f"{path}: 3 items, 2 without response"


def test_a_file_without_any_response_names_rows_keys_and_the_option(tmp_path):
    path = write(tmp_path / "in.jsonl", {"prompt": "Q", "text": "t"}, {"response": None}, {"response": float("nan")})
    found = error(path)
    assert found.message == (
        f"{path}:1: no response; the row has the keys prompt, text\n"
        f"{path}:2: no response; the row has the keys none\n{path}:3: no response; the row has the keys none"
    )
    assert found.hint == "name the key with --map response=KEY"
    assert len(read_items(path, require=()).items) == 3


def test_null_nan_blank_and_absent_are_the_same(tmp_path):
    row = {"instruction": "Q", "response": "R"}
    ways = [{}, {"source": None}, {"source": float("nan")}, {"source": " "}, {"source": ""}]
    extras = [{**way, "reference": value} for way in ways for value in (None, float("nan"), "")]
    rows = [{**row, **extra, "score": 3} for extra in (*ways, *extras)] + [{**row, "score": float("nan"), "x": None}]
    *items, last = read_items(write(tmp_path / "in.jsonl", *rows)).items
    assert all((i.fields, dict(i.human)) == (row, {"": (3.0,)}) for i in items)
    assert {i.group for i in items} == {last.group} and (last.fields, dict(last.human)) == (row, {})


def test_rows_without_any_shared_text_have_no_common_group(tmp_path):
    rows = [{"source": float("nan"), "instruction": f"Q{n}", "response": "R"} for n in range(3)]
    bare_rows = [{"source": " ", "instruction": "", "response": "R"} for _ in range(2)]
    groups = [i.group for i in read_items(write(tmp_path / "in.jsonl", *rows, *bare_rows)).items]
    assert len(set(groups[:3])) == 3 and None not in groups[:3] and groups[3:] == [None, None]


@pytest.mark.parametrize("layout", ["alpaca", "messages", "pairs", "helpsteer"])
def test_a_row_of_a_public_layout_may_lack_its_response(tmp_path, layout):
    talk = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "R"}]
    good, bad = {
        "alpaca": (
            {"instruction": "Q", "input": "", "output": "R"},
            {"instruction": "Q", "input": "x", "output": None},
        ),
        "messages": ({"messages": talk}, {"messages": talk[:1]}),
        "pairs": ({"prompt": "Q", "chosen": "R", "rejected": "S"}, {"prompt": "Q", "chosen": None, "rejected": "S"}),
        "helpsteer": ({"prompt": "Q", "response": "R", **dict.fromkeys(HELPSTEER, 1)}, {"prompt": "Q"}),
    }[layout]
    data = read_items(write(tmp_path / "in.jsonl", good, bad))
    assert data.layout == layout and "response" in data.items[0].fields
    assert sum("response" not in i.fields for i in data.items) == 1
    assert ", 1 without response" in data.message


def test_blank_responses_stay_and_lose_to_text_under_another_key(tmp_path):
    rows = [{"response": " \n"}, {"response": ""}, {"response": "", "output": "O"}, {"response": None, "answer": "A"}]
    assert [i.fields["response"] for i in read_items(write(tmp_path / "in.jsonl", *rows)).items] == [
        " \n",
        "",
        "O",
        "A",
    ]


def test_parquet_decimals_and_nan_are_numbers_and_nothing(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs the extra 'parquet'")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "response": ["R", "S"],
        "score": pyarrow.array([Decimal("3.50"), None], pyarrow.decimal128(4, 2)),
        "year": pyarrow.array([Decimal("1900.00"), None], pyarrow.decimal128(6, 2)),
        "weight": pyarrow.array([float("nan"), 2.0]),
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "in.parquet")
    first, second = read_items(tmp_path / "in.parquet").items
    assert (dict(first.human), first.fields) == ({"": (3.5,)}, {"response": "R", "year": "1900"})
    assert (dict(second.human), second.fields) == ({}, {"response": "S", "weight": "2.0"})


def test_the_text_nan_is_text_but_no_score(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("instruction,response,score\nWhat is her name?,Nan,nan\nQ,nan,4\n")
    assert [(i.fields["response"], dict(i.human)) for i in read_items(path).items] == [
        ("Nan", {}),
        ("nan", {"": (4.0,)}),
    ]


def test_many_bad_rows_are_counted_not_listed(tmp_path):
    path = write(tmp_path / "in.jsonl", *({"x": 1} for _ in range(9)))
    assert error(path).message.splitlines()[-1] == "and 4 more rows"


def test_duplicate_ids_name_both_places(tmp_path):
    path = write(tmp_path / "in.jsonl", {"id": 7, "response": "R"}, {"response": "R"}, {"id": "7", "response": "S"})
    found = error(path)
    assert found.message == f"{path}:3: the id '7' was used before, at {path}:1"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"response": "R"}\n{"response": \n', "{path}:2: not JSON: Expecting value at column 14"),
        ("a.jsonl", b"[1]\n", "{path}[0]: expected a JSON object, found a number"),
        ("a.jsonl", b"\n", "{path}: the file is empty"),
        ("a.jsonl", b"", "{path}: the file is empty"),
        ("a.jsonl", b'{"response": "R\xff"}', "{path}: not UTF-8 at byte 15 (0xff)"),
        ("a.jsonl", b'\xef\xbb\xbf{"response": "R\xff"}', "{path}: not UTF-8 at byte 18 (0xff)"),
        ("a.jsonl", b'{"a":' * 100_000, "{path}:1: the JSON is nested too deeply"),
        ("a.json", b'[{"response": "R"},\n 3]', "{path}[1]: expected a JSON object, found a number"),
        ("a.json", b'[{"response": "R"}\n', "{path}:2: not JSON: Expecting ',' delimiter at column 1"),
        ("a.json", b"3", "{path}: expected a JSON list or object, found a number"),
        ("a.json", b"{}", "{path}: no items in it"),
        ("a.csv", b"id,response\n1,a,b\n", "{path}:2: 3 cells, the header has 2"),
        ("a.csv", b"id,id\n1,a\n", "{path}:1: a column name occurs twice: id, id"),
        ("a.csv", b"id,response\n", "{path}: no items in it"),
        ("a.csv", b'id,response\n1,"a', "{path}:2: not a table: unexpected end of data"),
        ("a.csv", b"id,response\n1,\n", "{path}:2: no response; the row has the keys id"),
        ("a.jsonl", b'{"response": ["a"]}', "{path}:1: key 'response' holds a list, expected text"),
        ("a.jsonl", b'{"response": true}', "{path}:1: key 'response' holds true or false, expected text"),
        (
            "a.jsonl",
            b'{"response": "R", "score": "good"}',
            "{path}:1: key 'score' holds 'good', expected a number or a list of numbers",
        ),
        (
            "a.jsonl",
            b'{"response": "R", "score": [1, Infinity]}',
            "{path}:1: key 'score' holds inf, expected a number or a list of numbers",
        ),
    ],
)
def test_bad_files_are_said_with_the_place(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    if content.startswith(b'{"a":{"a":'):  # newer releases of Python read any depth
        assert error(path).message in (
            message.format(path=path),
            f"{path}:1: not JSON: Expecting value at column 500001",
        )
    else:
        assert error(path).message == message.format(path=path)


def test_missing_files_and_folders_are_said(tmp_path):
    assert error(tmp_path / "no.jsonl").message == f"{tmp_path}/no.jsonl: cannot read: No such file or directory"
    assert error(tmp_path).message == f"{tmp_path}: is a folder, expected a file of items"


def test_parquet_without_its_library_names_the_extra(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setattr("lager_lite.data.reading.find_spec", lambda name: None)
    found = error(path)
    assert (found.message, found.hint) == (
        f"{path}: reading Parquet needs pyarrow",
        "pip install 'lager-lite[parquet]'",
    )


def test_half_a_surrogate_pair_becomes_a_replacement_character(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"response": "a\\ud83d b"}')
    assert read_items(path).items[0].fields["response"] == "a\ufffd b"


# --- public layouts -------------------------------------------------------------------------------


def test_every_layout_has_a_reader_that_says_no_to_plain_rows(tmp_path):
    path = write(tmp_path / "in.jsonl", {"response": "R"})
    for name in LAYOUTS:
        found = error(path, layout=name)
        assert found.message == f"{path}: not in the layout {name}; its first keys are response"
    assert error(path, layout="flask").message == "there is no layout 'flask'"
    both = error(path, {"response": "response"}, "alpaca")
    assert both.message == "a mapping of keys and the layout alpaca exclude each other"


def test_helpsteer_has_five_criteria_from_0_to_4(tmp_path):
    row = {"prompt": "P", "response": "R", **dict(zip(HELPSTEER, (4, 3, 2, 1, 0)))}
    data = read_items(write(tmp_path / "h.jsonl", row, {**row, "response": "S"}))
    assert (data.layout, data.scale, data.criteria) == ("helpsteer", "0-4", HELPSTEER)
    assert dict(data.items[0].human) == dict(zip(HELPSTEER, [(4.0,), (3.0,), (2.0,), (1.0,), (0.0,)]))
    assert data.items[0].group == data.items[1].group
    assert data.message.endswith("layout detected: HelpSteer")


def test_biggen_with_human_scores_carries_its_own_rubric(tmp_path):
    rubric = {"criteria": "Is it so?", "score1_description": "no", "score5_description": "yes"}
    row = {"id": "x", "system_prompt": "You plan.", "input": "I", "reference_answer": "F", "score_rubric": rubric}
    rows = [{**row, "model_name": m, "response": "R", "human_score": 4} for m in ("m1", "m2")]
    data = read_items(write(tmp_path / "b.jsonl", *rows))
    assert (data.layout, [i.id for i in data.items]) == ("biggen", ["x/m1", "x/m2"])
    assert data.items[0].fields == {
        "instruction": "I",
        "response": "R",
        "reference": "F",
        "system_prompt": "You plan.",
        "rubric": "Is it so?\nScore 1: no\nScore 5: yes",
    }
    assert dict(data.items[0].human) == {"": (4.0,)}


def test_lager_lines_are_rendered_prompts_with_their_parts(tmp_path):
    text = (
        "###The instruction to evaluate:\nI\n\n###Response to evaluate:\nR\n\n###Score Rubrics:\n[C]\n\n###Feedback: "
    )
    rows = [{"user_prompt": text, "user_prompt_feedback": "F", "score": [3, 4]}, {"user_prompt": "other", "score": 2}]
    data = read_items(write(tmp_path / "l.jsonl", *rows))
    first, second = data.items
    assert (data.layout, first.rendered, second.rendered) == ("lager", text, "other")
    assert first.fields == {"instruction": "I", "response": "R", "rubric": "[C]", "rendered_feedback": "F"}
    assert (dict(first.human), dict(second.human), second.group) == ({"": (3.0, 4.0)}, {"": (2.0,)}, None)
    kept = read_items(write(tmp_path / "l.jsonl", *rows), keep_rendered=False).items
    assert [i.rendered for i in kept] == [None, "other"]


def test_flask_scores_are_peoples_and_prometheus_scores_are_not(tmp_path):
    row = {"idx": 1, "instruction": "###Task Description:\nwhole prompt\n\n###Response to evaluate:\nR"}
    flask = read_items(write(tmp_path / "f.jsonl", {**row, "human_score": [3, 4, 5], "gpt4_score": [1]}))
    assert dict(flask.items[0].human) == {"": (3.0, 4.0, 5.0)} and "GPT-4" not in flask.message
    other = read_items(write(tmp_path / "p.jsonl", {**row, "gpt4_score": [1, 2, 1]}))
    assert dict(other.items[0].human) == {"": (1.0, 2.0, 1.0)}
    assert other.message.endswith("(the scores are GPT-4's, not people's)")


def test_messages_and_alpaca_become_instruction_and_response(tmp_path):
    talk = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, {"from": "human", "value": "c"}]
    rows = [{"conversations": [*talk, {"from": "gpt", "value": "d"}]}, {"conversations": talk[:2]}]
    first, second = read_items(write(tmp_path / "m.jsonl", *rows)).items
    assert first.fields == {"instruction": "User: a\n\nAssistant: b\n\nUser: c", "response": "d"}
    assert second.fields == {"instruction": "a", "response": "b"}
    rows = [{"instruction": "I", "input": "X", "output": "O"}, {"instruction": "I", "input": "", "output": "O"}]
    assert [i.fields["instruction"] for i in read_items(write(tmp_path / "a.jsonl", *rows)).items] == ["I\n\nX", "I"]


def test_judge_bench_without_headings_keeps_the_text_whole_and_skips_categories(tmp_path):
    marks = {"Quality": {"mean_human": 2.5}, "Kind": {"majority_human": "b"}}
    content = {
        "annotations": [
            {"metric": "Quality", "category": "graded", "worst": 0, "best": 4},
            {"metric": "Kind", "category": "categorical"},
        ],
        "instances": [{"id": 3, "instance": "Some ## text", "annotations": marks}],
    }
    path = tmp_path / "j.json"
    path.write_text(json.dumps(content))
    data = read_items(path)
    assert data.items[0].fields == {"response": "Some ## text"}
    assert (dict(data.items[0].human), data.scale) == ({"quality": (2.5,)}, "0-4")


def test_a_broken_public_file_says_where_it_breaks(tmp_path):
    path = write(tmp_path / "h.jsonl", {"user_prompt": "Give a score."}, {"prompt": "b"})
    found = error(path)
    assert found.message == (
        f"{path}:2: looks like LAGER's JSON lines (rendered prompts), but breaks its layout: the key 'user_prompt' is missing"
    )


REAL = [
    ("judge_bench_newsroom.json", "judge-bench", 420, 60, "1-5"),
    ("lager_emotion_430.json", "emotion", 430, 50, "1-9"),
    ("eq_bench_v2_171.json", "eq-bench", 684, 50, "0-10"),
    ("self_aware.json", "self-aware", 3369, 3369, "1-5"),
    ("helpsteer_pairs.jsonl", "pairs", 1698, 848, None),
    ("prometheus_mt_bench.json", "prometheus", 320, 80, "1-5"),
    ("biggen_sample_evals.json", "biggen", 40, 40, "1-5"),
]


@pytest.mark.parametrize(("name", "layout", "count", "groups", "scale"), REAL, ids=[r[1] for r in REAL])
def test_real_files_are_detected_and_survive_conversion(data_folder, tmp_path, name, layout, count, groups, scale):
    data = read_items(data_folder / name)
    assert (data.layout, len(data.items), data.scale) == (layout, count, scale)
    assert len({i.group for i in data.items}) == groups
    out = tmp_path / "out.jsonl"
    assert convert(data, out) == count
    assert bare(read_items(out, layout="rows", require=()).items) == bare(data.items)


def test_newsroom_is_split_into_source_and_summary(data_folder):
    data = read_items(data_folder / "judge_bench_newsroom.json")
    assert data.criteria == ("informativeness", "relevance", "fluency", "coherence")
    assert all(set(i.fields) == {"source", "response"} for i in data.items)
    assert all(len(scores) == 3 for i in data.items for scores in i.human.values())
    first = data.items[0]
    assert first.fields["source"].startswith("'16 & Pregnant' Couple Arrested")
    assert first.fields["response"].startswith("collection of all usatoday.com coverage")
    assert first.human["informativeness"] == (4.0, 3.0, 1.0)


def test_the_emotion_sets_agree_on_dialogue_person_and_score(data_folder):
    small = read_items(data_folder / "lager_emotion_430.json").items
    full = {
        (i.group, i.fields["emotion"], i.fields["source"].strip()): i
        for i in read_items(data_folder / "eq_bench_v2_171.json").items
    }
    twins = [(i, full.get((i.group, i.fields["emotion"], i.fields["source"].strip()))) for i in small]
    assert sum(t is not None and t.human == i.human for i, t in twins) >= 0.95 * len(small)


# --- what stands where --------------------------------------------------------------------------------

TALK = [{"role": "user", "content": "Q1"}, {"role": "assistant", "content": "A1"}, {"role": "user", "content": "Q2"}]


def read_one(tmp_path, *rows):
    return read_items(write(tmp_path / "in.jsonl", *rows))


@pytest.mark.parametrize("score", ["human_score", "gpt4_score"])
def test_no_rendered_layout_swallows_a_row_with_a_response(tmp_path, score):
    marked = "###Task Description:\nx\n\n###Response to evaluate:\nR"
    for key in ("response", "output", "answer"):
        for text in ("Name a tree.", marked):
            item = read_one(tmp_path, {"instruction": text, key: "Oak.", score: 5}).items[0]
            assert (item.rendered, item.fields["response"], item.fields["instruction"]) == (None, "Oak.", text)
    assert read_one(tmp_path, {"instruction": marked, score: 5}).layout == "prometheus"
    item = read_one(tmp_path, {"user_prompt": "Name a tree.", "response": "Oak."}).items[0]
    assert (item.rendered, item.fields) == (None, {"instruction": "Name a tree.", "response": "Oak."})


def test_an_alpaca_file_is_one_whatever_its_first_row_lacks(tmp_path):
    rows = [{"instruction": "I", "output": "O"}, {"Instruction": "J", "Input": "X", "Output": "P", "rating": "4"}]
    for order in (rows, rows[::-1]):
        data = read_one(tmp_path, *order)
        assert data.layout == "alpaca"
        found = {i.fields["response"]: (i.fields["instruction"], dict(i.human)) for i in data.items}
        assert found == {"O": ("I", {}), "P": ("J\n\nX", {"": (4.0,)})}
    item = read_one(tmp_path, {"instruction": "J", "input": "X", "output": "P", "response": "R"}).items[0]
    assert (item.fields["instruction"], item.fields["response"]) == ("J\n\nX", "R")


def test_rows_of_free_layouts_are_read_one_by_one_and_others_refused_with_both_places(tmp_path):
    rows = [{"messages": TALK[:2], "score": 2}, {"prompt": "Q", "response": "R"}]
    data = read_one(tmp_path, *rows, {"instruction": "I", "input": "X", "output": "O"})
    assert [(i.fields["instruction"], i.fields["response"], dict(i.human)) for i in data.items] == [
        ("Q1", "A1", {"": (2.0,)}),
        ("Q", "R", {}),
        ("I\n\nX", "O", {}),
    ]
    assert data.message.endswith("rows of several layouts, each read as what it is")
    path = write(tmp_path / "in.jsonl", {"prompt": "P", "chosen": "C", "rejected": "D"}, rows[1])
    assert error(path).message == (
        f"{path}:2: looks like a row of lager-lite's own keys, "
        f"but {path}:1 like pairs of a chosen and a rejected response"
    )


@pytest.mark.parametrize(
    ("row", "instruction", "response"),
    [
        ({"messages": TALK, "response": "R"}, "User: Q1\n\nAssistant: A1\n\nUser: Q2", "R"),
        ({"messages": TALK[:2], "response": "R"}, "User: Q1\n\nAssistant: A1", "R"),
        ({"messages": TALK[:2], "response": "A1 "}, "Q1", "A1 "),
        ({"messages": TALK[:2], "answer": "gold"}, "Q1", "A1"),
        ({"messages": TALK[:1], "answer": "A"}, "Q1", "A"),
        ({"Conversations": TALK[:2], "system": "S"}, "System: S\n\nUser: Q1", "A1"),
        ({"messages": [{"role": "system", "content": "S"}, *TALK[:2]]}, "System: S\n\nUser: Q1", "A1"),
        ({"prompt": TALK, "completion": [{"role": "assistant", "content": "C"}]}, None, "C"),
        ({"prompt": "Q1", "response": [*TALK, {"role": "assistant", "content": "C"}]}, None, "C"),
        ({"user_input": "Q", "retrieved_contexts": ["s"], "response": "R"}, "Q", "R"),
        ({"user_input": ["Q", "P"], "response": "R"}, "[1]\nQ\n\n[2]\nP", "R"),
        ({"Question": "Q", "Answer": "gold", "Prediction": "R"}, "Q", "R"),
    ],
)
def test_the_text_that_was_meant_is_the_response(tmp_path, row, instruction, response):
    item = read_one(tmp_path, row).items[0]
    assert item.fields["response"] == response
    assert instruction is None or item.fields["instruction"] == instruction


def test_the_answer_beside_a_prediction_is_the_reference(tmp_path):
    item = read_one(tmp_path, {"question": "Q", "answer": "gold", "prediction": "R"}).items[0]
    assert item.fields == {"instruction": "Q", "reference": "gold", "response": "R"}
    item = read_one(tmp_path, {"question": "Q", "answer": "A", "reference": "F"}).items[0]
    assert item.fields == {"instruction": "Q", "reference": "F", "response": "A"}


def test_passages_are_numbered_where_there_are_several(tmp_path):
    rows = [{"question": "Q", "contexts": c, "answer": "A"} for c in (["s"], ["s", None, "t"], [{"text": "s"}], [])]
    sources = [i.fields.get("source") for i in read_one(tmp_path, *rows).items]
    assert sources == ["s", "[1]\ns\n\n[2]\nt", "s", None]


def test_pairs_may_be_conversations_with_or_without_a_prompt(tmp_path):
    last = [{"role": "assistant", "content": text} for text in ("good", "bad")]
    rows = [
        {"prompt": "Q1", "chosen": [TALK[0], last[0]], "rejected": [TALK[0], last[1]]},
        {"prompt": TALK, "chosen": last[:1], "rejected": last[1:]},
        {"chosen": [*TALK, last[0]], "rejected": [*TALK, last[1]]},
    ]
    data = read_one(tmp_path, *rows)
    talk = "User: Q1\n\nAssistant: A1\n\nUser: Q2"
    assert [i.fields["instruction"] for i in data.items] == ["Q1", "Q1", talk, talk, talk, talk]
    assert [i.fields["response"] for i in data.items] == ["good", "bad"] * 3
    assert len({i.group for i in data.items}) == 2 and data.layout == "pairs"


def test_parts_are_joined_calls_are_written_and_pictures_refused(tmp_path):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "look", "arguments": '{"x": 1}'}}],
    }
    talk = [
        {"role": "user", "content": parts},
        call,
        {"role": "tool", "content": "7"},
        {"role": "assistant", "content": parts},
    ]
    first, second = read_one(tmp_path, {"messages": talk}, {"messages": talk[:2]}).items
    assert first.fields["instruction"] == 'User: a\nb\n\nAssistant: [calls look({"x": 1})]\n\nTool: 7'
    assert (first.fields["response"], second.fields["response"]) == ("a\nb", '[calls look({"x": 1})]')
    picture = [{"role": "user", "content": [*parts, {"type": "image_url", "image_url": {}}]}, TALK[1]]
    path = write(tmp_path / "in.jsonl", {"messages": picture})
    assert error(path).message == f"{path}:1: key 'messages' holds a part of type 'image_url', expected text"


def test_a_conversation_of_unknown_roles_has_no_response(tmp_path):
    rows = [{"conversations": [{"from": "user", "value": "Q"}, {"from": who, "value": "A"}]} for who in ("gpt", "bing")]
    assert [i.fields.get("response") for i in read_one(tmp_path, *rows).items] == ["A", None]


# --- writing --------------------------------------------------------------------------------------


def test_no_rows_are_zero_bytes_of_jsonl(tmp_path):
    assert write_rows(tmp_path / "o.jsonl", []) == 0
    assert (tmp_path / "o.jsonl").read_bytes() == b""


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    def rows():
        yield {"id": "1"}
        raise KeyboardInterrupt

    path = tmp_path / "o.jsonl"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_rows(path, rows())
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["o.jsonl"]


def test_tables_hold_nested_values_as_json_and_read_back(tmp_path):
    path = tmp_path / "o.csv"
    rows = [{"id": "a", "response": "R", "scores": {"x": [1, 2]}}, {"id": "b", "response": "S", "score": [3, 4]}]
    assert write_rows(path, rows) == 2
    assert path.read_text().splitlines()[:2] == ["id,response,scores,score", 'a,R,"{""x"": [1, 2]}",']
    assert [dict(i.human) for i in read_items(path).items] == [{"x": (1.0, 2.0)}, {"": (3.0, 4.0)}]


def test_writing_to_stdout_is_jsonl(capsys):
    assert write_rows("-", [{"id": "ü"}]) == 1
    assert capsys.readouterr().out == '{"id": "ü"}\n'


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(OutputError) as caught:
        write_rows(tmp_path / "no" / "o.jsonl", [])
    assert caught.value.message == f"{tmp_path}/no/o.jsonl: cannot write: No such file or directory"
    with pytest.raises(OutputError) as caught:
        write_rows(tmp_path, [])
    assert caught.value.message == f"{tmp_path}: is a folder, expected a file to write"


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    write_rows(tmp_path / "link.jsonl", [{"id": "1"}])
    assert (tmp_path / "link.jsonl").is_symlink() and (tmp_path / "real.jsonl").read_text() == '{"id": "1"}\n'


# --- the demo set ---------------------------------------------------------------------------------


def test_the_demo_set_has_five_rungs_for_each_text():
    data = load_demo()
    groups = {i.group for i in data.items}
    assert len(groups) >= 8 and len(data.items) == 5 * len(groups)
    for group in groups:
        rungs = [i.human[""] for i in data.items if i.group == group]
        assert rungs == [(1.0,), (2.0,), (3.0,), (4.0,), (5.0,)]
    assert all(90 <= len(i.fields["source"].split()) <= 200 for i in data.items)
    assert {i.fields["instruction"] for i in data.items} == {"Summarize the text."}
    assert len({i.fields["response"] for i in data.items}) == len(data.items)
    assert item_row(data.items[0])["score"] == 1


def test_length_alone_does_not_order_the_demo():
    stats = pytest.importorskip("scipy.stats")
    items = load_demo().items
    rungs = [i.human[""][0] for i in items]
    for lengths in ([len(i.fields["response"].split()) for i in items], [len(i.fields["response"]) for i in items]):
        # 0.3 is the promise of the set; measured 0.17 in words and 0.19 in characters.
        assert abs(stats.spearmanr(lengths, rungs).statistic) < 0.3
