"""The page of `view` in headless Chromium, with real keys, clicks and downloads: labelling."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.data import read_items
from lager_lite.prompts import make_rubric
from lager_lite.records import Item, Judgment
from tests.model_files.tiny import write_tiny_model
from tests.report.browser import Browser
from tests.report.view_pages import begin, items, judgments, load, page


def test_ten_items_are_labelled_by_keys_and_fit_reads_what_is_downloaded(browser: Browser, tmp_path: Path) -> None:
    names = [f"item {n}" for n in range(12)]
    texts = [replace(item, fields={**item.fields, "instruction": f"Name {item.id}."}) for item in items(names)]
    begin(browser, page(tmp_path, judgments(names), texts))
    browser.key("l")
    given = [5, 1, 3, 2, 4, 1, 5, 2, 3, 4]
    for label in given[:3]:
        browser.key(str(label))
    browser.key("1", "u")  # a slip, taken back
    for label in given[3:]:
        browser.key(str(label))
    assert browser.text("#progress-text") == "10 of 12 items"
    browser.click("#download")
    path = browser.download()
    assert path.name == "scores.labels.jsonl"
    found = read_items(path).items
    assert [(item.id, *item.human[""]) for item in found] == list(zip(names, map(float, given)))
    assert found[4].fields["response"] == items(names)[4].fields["response"]
    model = write_tiny_model(tmp_path / "tiny.gguf", "llama")
    done = CliRunner().invoke(
        main, ["fit", str(path), "-r", "helpfulness", "-m", str(model), "-o", str(tmp_path / "w.json"), "--no-store"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "w.json").read_text(encoding="utf-8"))
    browser.key("Escape")
    assert browser.text("#rows [aria-rowindex='2'] [role=gridcell]:nth-last-child(2)") == "5", "the column Mine"
    browser.click("#sort-mine")
    assert browser.text("#rows [aria-rowindex='3'] [role=gridcell]") == "✓ item 6"
    assert browser.errors == []


def test_the_judges_score_is_nowhere_on_the_page_before_the_label_is_given(browser: Browser, tmp_path: Path) -> None:
    names = ["a", "b"]
    given = [
        Judgment("a", rubric, 4.321, probabilities={"1": 0.1, "5": 0.9}, e_score=4.321, per_layer=(4.321,), feedback=("Splendid.",))
        for rubric in ("fluency", "coherence")
    ]  # fmt: skip
    texts = [Item("a", {"response": "R.", "gpt_score": "4.321", "model": "best"}, {"fluency": (4.321,)})]
    begin(browser, page(tmp_path, given, texts))
    secret = "['4.32', 'Splendid', '90.0%', 'best'].filter((text) => document.getElementById('label').innerText.includes(text))"
    browser.key("l")
    assert browser.run(secret) == []
    browser.key("1")
    assert browser.run(secret) == [], "one criterion of two has its label"
    browser.key("5")
    assert browser.run(secret) == ["4.32"] and names
    assert "coherence: you 5, judge 4.32" in browser.text(".last")
    assert browser.text("#reading h2") == "Every item is labelled"


def test_labels_outlive_a_reload_and_are_undone_skipped_and_loaded(browser: Browser, tmp_path: Path) -> None:
    names = [str(n) for n in range(4)]
    address = page(tmp_path, judgments(names, ("fluency", "coherence")), items(names))
    begin(browser, address)
    browser.key("l", "4", "2", "s", "3")
    assert browser.text("#reading h2") == "2" and browser.text("#progress-text") == "3 of 8 labels, 1 of 4 items"
    browser.open(address)
    browser.key("l")
    assert browser.text("#progress-text") == "3 of 8 labels, 1 of 4 items"
    assert browser.text("#reading h2") == "2" and browser.text("#asked") == "coherence"
    browser.key("1", "3", "3")
    assert browser.text("#reading h2") == "Every other item is labelled"
    assert browser.text("#reading p") == "3 items labelled, 1 skipped." and browser.text("#download") == (
        "Download 3 labelled items"
    )
    browser.click("#reading button")
    assert browser.text("#reading h2") == "1"
    browser.key("u", "u")
    assert browser.text("#reading h2") == "3" and browser.text("#progress-text") == "4 of 8 labels, 2 of 4 items"
    browser.click("#download")
    rows = [json.loads(line) for line in browser.download().read_text(encoding="utf-8").splitlines()]
    assert [(row["id"], row["scores"]) for row in rows] == [
        ("0", {"fluency": 4, "coherence": 2}), ("2", {"fluency": 3, "coherence": 1})
    ]  # fmt: skip
    more = [{"id": "3", "scores": {"fluency": 5, "coherence": 9}}, {"id": "z", "scores": {"fluency": 1}}]
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in more) + "{\n", encoding="utf-8")
    load(browser, tmp_path / "more.jsonl")
    assert browser.text("#loaded") == (
        "1 label loaded, 1 row of no item here, 1 score that the scale does not have, 1 line that cannot be read"
    )
    assert browser.errors == []


def test_items_without_a_response_are_not_asked_and_partly_labelled_ones_counted(
    browser: Browser, tmp_path: Path
) -> None:
    names = [str(n) for n in range(3)]
    texts = items(names)
    texts[1] = replace(texts[1], fields={"instruction": "Name plums."})
    begin(browser, page(tmp_path, judgments(names, ("fluency", "coherence")), texts))
    browser.key("l", "4", "2")
    assert browser.text("#reading h2") == "2" and browser.text("#progress-text") == "2 of 4 labels, 1 of 2 items"
    browser.key("3", "s")
    assert browser.text("#reading p") == "2 items labelled, 1 of them in part."
    assert browser.text("#download") == "Download 2 labelled items" and browser.errors == []


def test_a_key_that_is_held_down_gives_one_label(browser: Browser, tmp_path: Path) -> None:
    names = [f"i{n}" for n in range(5)]
    begin(browser, page(tmp_path, judgments(names), items(names)))
    browser.key("l", "3")
    for _ in range(3):
        browser.send("Input.dispatchKeyEvent", type="keyDown", key="3", text="3", autoRepeat=True)
    assert browser.text("#progress-text") == "1 of 5 items"


def test_what_others_left_in_the_browser_and_strange_names_break_nothing(browser: Browser, tmp_path: Path) -> None:
    name = "__proto__"
    given = judgments([name, "constructor"], (name, "toString"))
    address = page(tmp_path, given, items([name, "constructor"]))
    begin(browser, address)
    browser.key("l", "4", "2")
    for left in ("{", "5", '{"labels": 5}', '{"labels": [[1], null]}'):
        browser.run(f"Object.keys(localStorage).forEach((key) => localStorage.setItem(key, {json.dumps(left)}))")
        browser.open(address)
        assert browser.text("#count").startswith("4 judgments")
    browser.key("l", "4", "2")
    browser.click("#download")
    (row,) = browser.download().read_text(encoding="utf-8").splitlines()
    assert row.startswith('{"id":"__proto__"') and '"scores":{"__proto__":4,"toString":2}' in row
    (tmp_path / "more.json").write_text(
        '[{"id": "constructor", "scores": {"toString": "5", "__proto__": 1}}]', encoding="utf-8"
    )
    load(browser, tmp_path / "more.json")
    assert browser.text("#loaded") == "2 labels loaded" and browser.errors == []


def test_other_scales_have_keys_of_their_own(browser: Browser, tmp_path: Path) -> None:
    def label(labels: list[str], *keys: str, **more: Any) -> list[float]:
        given = [Judgment(f"i{n}", "mine", 1.0, probabilities=dict.fromkeys(labels, 0.1)) for n in range(len(keys))]
        begin(browser, page(tmp_path, given, items([one.id for one in given]), **more))
        browser.key("l", *keys)
        browser.click("#download")
        rows = browser.download().read_text(encoding="utf-8").splitlines()
        return [json.loads(row)["human_score"] for row in rows]

    assert label([str(n) for n in range(1, 11)], "1", "9", "0") == [1, 9, 10]
    assert label([str(n) for n in range(11)], "0", "9", "-") == [0, 9, 10]
    assert label(["C", "B", "A"], "a", "c") == [3, 1]
    rubric = make_rubric("mine", "Good?", scale={"poor": -1, "fair": 0, "good": 4.5})
    assert label(["poor", "fair", "good"], "3", "1", rubrics=[rubric]) == [4.5, -1]
    hundred = [Judgment("a", "mine", 1.0, probabilities={str(n): 0.01 for n in range(101)})]
    begin(browser, page(tmp_path, hundred, items(["a"])))
    browser.key("l")
    browser.click("#typed")
    browser.key("8", "x", "Enter")
    assert browser.run("document.getElementById('typed').ariaInvalid") == "true"
    browser.run("document.getElementById('typed').value = ''")
    browser.key("8", "7", "Enter")
    assert browser.text("#progress-text") == "1 of 1 item"


def test_where_nothing_is_kept_the_page_says_so(browser: Browser, tmp_path: Path) -> None:
    script = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } })"
    added = browser.send("Page.addScriptToEvaluateOnNewDocument", source=script)
    try:
        browser.open(page(tmp_path, judgments(["a", "b"]), None))
        browser.key("t", "l", "4")
        assert "keeps nothing for this page" in browser.text("#not-kept")
        assert "have only ids and labels" in browser.text(".files")
        assert browser.text("#progress-text") == "1 of 2 items"
        browser.click("#download")
        assert browser.download().read_text(encoding="utf-8") == '{"id":"a","human_score":4}\n'
    finally:
        browser.send("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
