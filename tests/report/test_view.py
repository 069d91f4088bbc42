"""The page of `view`: what it holds, and that nothing in its data can run. In a browser: see test_view_browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.data import write_rows
from lager_lite.errors import DataError, OutputError, PromptError
from lager_lite.judging import judgment_row
from lager_lite.prompts import make_rubric
from lager_lite.records import Item, Judgment
from lager_lite.report import safe_json, view_data, view_page, view_path, write_view
from lager_lite.tasks import open_view

HOSTILE = (
    "</script><script>alert(1)</script><!-- ]]> & \x00 \u2028 \u2029 \u202e \ufeff \u200f \U000e0041 '\"`${x}{{y}}"
)


def judged(identity: str, rubric: str = "fluency", score: float | None = 3.0, **more: Any) -> Judgment:
    probabilities = None if score is None else {str(n): 0.2 for n in range(1, 6)}
    return Judgment(identity, rubric, score, probabilities=probabilities, error=None if score else "too long", **more)


def scores(folder: Path, *judgments: Judgment) -> Path:
    write_rows(folder / "scores.jsonl", [judgment_row(one, details=True) for one in judgments])
    return folder / "scores.jsonl"


def data_of(page: str) -> Any:
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert len(found) == 1
    return json.loads(found[0])


def test_items_are_joined_by_id_and_what_matches_nothing_is_counted(tmp_path: Path) -> None:
    path = scores(tmp_path, *(judged(name) for name in ("a", "b", "c")))
    items = [Item(name, {"response": name}, {"": (2.0, 3.0)}) for name in ("b", "a", "x", "y", "z", "w")]
    view = open_view(path, items)
    assert list(view.items) == ["a", "b"] and [one.id for one in view.judgments] == ["a", "b", "c"]
    assert view.warnings == (
        "1 judged item is not among the items that were given, so its text is missing: c",
        "4 items have no judgment and are left out: x, y, z and 1 more",
    )
    assert open_view(path, items, limit=1).warnings == ()
    with pytest.raises(DataError, match="the items have none of its 3 ids; its first id is 'a'"):
        open_view(path, items[2:])


def test_texts_that_were_not_judged_are_said_though_their_ids_match(tmp_path: Path) -> None:
    names = [str(n) for n in range(6)]
    texts = [Item(name, {"instruction": "Say it.", "response": "word " * (1 + 80 * n)}) for n, name in enumerate(names)]
    made = [judged(name, "helpfulness", tokens=200 + 80 * n) for n, name in enumerate(names)]
    made[0] = Judgment("0", "helpfulness", None, error="no response; the item has only instruction")
    write_rows(tmp_path / "s.jsonl", map(judgment_row, made))
    right = [replace(texts[0], fields={"instruction": "Say it."}), *texts[1:]]
    assert open_view(tmp_path / "s.jsonl", right).warnings == ()
    (one,) = open_view(tmp_path / "s.jsonl", [right[0], *_moved(right[1:])]).warnings
    assert one.endswith("of items the longer text had fewer tokens under helpfulness")
    (two,) = open_view(tmp_path / "s.jsonl", texts).warnings
    assert "item ('0') has a response that was missing when it was judged" in two
    (bare, _) = open_view(tmp_path / "s.jsonl", [*right[:5], replace(texts[5], fields={})]).warnings
    assert "judged item ('5') has no response in the items" in bare
    write_rows(tmp_path / "k.jsonl", [{"response": "other", **judgment_row(made[1])}])
    (beside,) = open_view(tmp_path / "k.jsonl", [texts[1]]).warnings
    assert "item ('1') has another response in the items than beside the judgment" in beside


def test_right_texts_raise_no_doubt(tmp_path: Path) -> None:
    """The prompts of a rubric that is not known show one of two texts, in a script with more bytes and tokens."""
    texts = [Item(str(n), {"question": "y" * (900 - 150 * n), "response": "\u4f60" * 60 * n}) for n in range(1, 6)]
    made = [judged(item.id, "mine", tokens=100 + 60 * n) for n, item in enumerate(texts, 1)]
    assert open_view(scores(tmp_path, *made), texts).warnings == ()
    asked = [Item(str(n), {"question": "y" * 300 * n}) for n in range(1, 6)]
    assert open_view(scores(tmp_path, *made), asked).warnings == ()


def _moved(items: list[Item]) -> list[Item]:
    """The items with each other's texts."""
    return [replace(one, fields=other.fields) for one, other in zip(items, reversed(items))]


def test_human_scores_of_another_scale_are_said(tmp_path: Path) -> None:
    path = scores(tmp_path, *(judged(name) for name in ("a", "b", "c")))
    items = [Item(name, {"response": name}, {"": (value,)}) for name, value in (("a", 3.0), ("b", 80.0), ("c", 95.0))]
    assert open_view(path, items).warnings == (
        "2 of 3 human scores lie outside the scale of fluency, 1 to 5: they range from 80 to 95, so differences from the judge's scores mean nothing",
    )
    assert open_view(path, items[:1]).warnings == (
        "2 judged items are not among the items that were given, so their texts are missing: b, c",
    )


def test_the_data_has_scores_people_texts_and_errors(tmp_path: Path) -> None:
    path = scores(tmp_path, judged("a", flags=("saturated",)), judged("a", "clarity", None), judged("7", score=4.5))
    items = [Item("a", {"model": "m1", "response": "One two three.", "instruction": "Go."}, {"fluency": (2.0, 3.0)})]
    found = view_data(open_view(path, items))
    assert [c["name"] for c in found["criteria"]] == ["fluency", "clarity"]
    assert found["criteria"][0]["meanings"][0] and found["criteria"][1] == {
        "name": "clarity", "labels": [], "values": [], "question": "", "shipped": False, "meanings": []
    }  # fmt: skip
    assert found["criteria"][0]["shipped"]
    first, failed, other = found["rows"]
    assert (first["human"], first["people"], first["flags"]) == (2.5, [2.0, 3.0], ["saturated"])
    assert failed == {"item": 0, "criterion": 1, "error": "too long"}
    assert (other["item"], other["score"]) == (1, 4.5)
    item = found["items"][0]
    assert (item["system"], item["words"], item["judged"]) == ("m1", 3, ["response"])
    assert list(item["fields"]) == ["response", "instruction", "model"]
    assert item["blind"] == ["response", "instruction"]
    assert found["texts"][item["fields"]["response"]] == "One two three."


def test_labels_belong_to_the_items_and_not_to_the_scores(tmp_path: Path) -> None:
    items = [Item("a", {"response": "Hi"})]

    def key(*judgments: Judgment, texts: list[Item] = items) -> str:
        return str(view_data(open_view(scores(tmp_path, *judgments), texts))["key"])

    assert key(judged("a")) == key(judged("a", score=1.0))
    assert (
        len({key(judged("a")), key(judged("a", "clarity")), key(judged("a"), texts=[Item("a", {"response": "Ho"})])})
        == 3
    )


def test_nothing_in_the_data_is_markup_or_hidden(tmp_path: Path) -> None:
    view = open_view(scores(tmp_path, judged(HOSTILE, HOSTILE, flags=(HOSTILE,))), [Item(HOSTILE, {HOSTILE: HOSTILE})])
    page = view_page(replace(view, name=HOSTILE))
    inside = page[page.index('id="data">') : page.index("</script>", page.index('id="data">'))]
    assert not re.search("[<&\x00\u2028\u2029\u202e\ufeff\u200f]", inside[10:])
    found = data_of(page)
    assert found["items"][0]["id"] == HOSTILE and found["texts"] == [HOSTILE] and found["name"] == HOSTILE
    assert page.count("<script") == 2 and "alert(1)</script>" not in page
    assert not re.search("[\x00\u2028\u202e\ufeff]", page)
    assert json.loads(safe_json("\ud800")) == "\ud800" and safe_json("\ud800").isascii()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None and policy[1].startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "unsafe" not in policy[1] and re.findall('https?://[^"]*', page) == ["http://www.w3.org/2000/svg"]


def test_labels_are_worth_what_the_rubric_says_else_their_numbers_else_their_place(tmp_path: Path) -> None:
    def values(labels: str, rubric: str = "mine", **more: Any) -> list[float]:
        one = Judgment("a", rubric, 1.0, probabilities=dict.fromkeys(labels.split(), 0.1))
        return list(view_data(open_view(scores(tmp_path, one), **more))["criteria"][0]["values"])

    named = make_rubric("mine", "Good?", scale={"no": -1, "yes": 4})
    assert values("no yes", rubrics=[named]) == [-1.0, 4.0]
    assert values("0 1 2 10") == [0.0, 1.0, 2.0, 10.0]
    assert values("E D C B A") == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert values("0 1 2 3 4", "fluency") == [0.0, 1.0, 2.0, 3.0, 4.0]
    with pytest.raises(PromptError, match="the rubric mine has the labels no, yes, the judgments have 1, 2"):
        values("1 2", rubrics=[named])
    with pytest.raises(PromptError, match="no judgment is by the rubric mine"):
        values("1 2", "other", rubrics=[named])


def test_the_page_stands_beside_the_scores_and_never_over_what_was_read(tmp_path: Path) -> None:
    assert [view_path(p) for p in ("x/s.jsonl", "s.csv.gz", "-", "x/.jsonl")] == [
        "x/s.view.html", "s.view.html", "view.html", "x/.jsonl.view.html"
    ]  # fmt: skip
    path = scores(tmp_path, judged("a"))
    with pytest.raises(OutputError, match="would overwrite"):
        write_view(path, open_view(path))
    items = tmp_path / "i.jsonl"
    items.write_text('{"id": "a", "response": "Hi"}\n', encoding="utf-8")
    with pytest.raises(OutputError, match="would overwrite"):
        write_view(items, open_view(path, [Item("a", {"response": "Hi"}, where=f"{items}:1")]))
    assert write_view(tmp_path / "v.html", open_view(path)) == (tmp_path / "v.html").stat().st_size


def call(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["view", *map(str, arguments)])


def test_the_command_writes_the_page_and_says_what_does_not_fit(tmp_path: Path) -> None:
    path = scores(tmp_path, judged("a"), judged("b"))
    (tmp_path / "i.jsonl").write_text('{"id": "a", "text": "Hi", "grade": 4}\n', encoding="utf-8")
    done = call(path, tmp_path / "i.jsonl", "--map", "response=text", "--map", "score=grade")
    assert done.exit_code == 0 and done.stdout == ""
    assert "Warning: 1 judged item is not among the items that were given, so its text is missing: b" in done.stderr
    assert f"2 judgments of 2 items, 1 item with texts, written to {tmp_path / 'scores.view.html'}" in done.stderr
    found = data_of((tmp_path / "scores.view.html").read_text(encoding="utf-8"))
    assert found["rows"][0]["human"] == 4 and found["texts"] == ["Hi"] and len(found["warnings"]) == 1
    done = call(path, "-n", 1, "-o", tmp_path / "one.html")
    assert "1 judgment of 1 item, 0 items with texts" in done.stderr
    assert len(data_of((tmp_path / "one.html").read_text(encoding="utf-8"))["rows"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--map", "a=b"], "--map is about ITEMS: give ITEMS too"),
        (["--scale", "1-3"], "--scale puts the rubrics of -r on another scale: give -r too"),
        (["-o", "x.pdf"], "cannot write .pdf files"),
        (["-o", "-"], "cannot write to stdout"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = call(scores(tmp_path, judged("a")), *arguments)
    assert done.exit_code == 2 and message in done.stderr
    done = call("-", "-")
    assert done.exit_code == 2 and "cannot both come from stdin" in done.stderr
