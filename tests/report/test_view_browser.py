"""The page of `view` in headless Chromium, with real keys, clicks and downloads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.data import read_items, write_rows
from lager_lite.judging import judgment_row
from lager_lite.prompts import make_rubric
from lager_lite.records import Item, Judgment
from lager_lite.report import write_view
from lager_lite.tasks import open_view
from tests.model_files.tiny import write_tiny_model
from tests.report.browser import CHROMIUM, Browser
from tests.report.test_view import HOSTILE

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

WORDS = ("pear", "plum", "quince")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


def judgments(names: list[str], rubrics: tuple[str, ...] = ("helpfulness",), labels: str = "12345") -> list[Judgment]:
    share = {label: (place + 1) / 15 for place, label in enumerate(labels)}
    return [
        Judgment(
            name, rubric, 1 + (7 * n + place) % 40 / 10, probabilities=share, per_layer=(3.0, 2.5, 3.5), tokens=9, mass=0.9,
            flags=("saturated",) if n % 5 == 4 else (),
        )
        for n, name in enumerate(names)
        for place, rubric in enumerate(rubrics)
    ]  # fmt: skip


def items(names: list[str]) -> list[Item]:
    return [
        Item(
            name,
            {
                "instruction": f"Name {WORDS[n % 3]}s.",
                "response": f"Answer {n}: " + "word " * (n % 60),
                "system": f"s{n % 2}",
            },
            {"": (float(1 + n % 5),)} if n % 4 else {},
        )
        for n, name in enumerate(names)
    ]


def page(folder: Path, given: list[Judgment], texts: list[Item] | None, **more: Any) -> str:
    """The address of a page of judgments."""
    write_rows(folder / "scores.jsonl", [judgment_row(one, details=True) for one in given])
    write_view(folder / "scores.html", open_view(folder / "scores.jsonl", texts, **more))
    return (folder / "scores.html").as_uri()


def listed(browser: Browser) -> list[str]:
    script = "[...document.querySelectorAll('#rows [role=row]')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
    found: list[str] = browser.run(script + ".map((row) => row.firstChild.innerText)")
    return found


def begin(browser: Browser, address: str) -> None:
    """Open a page as if for the first time."""
    browser.errors.clear()
    browser.requests.clear()
    browser.open(address)
    browser.run("localStorage.clear()")
    browser.open(address)


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
    node = browser.send("DOM.getDocument")["root"]["nodeId"]
    field = browser.send("DOM.querySelector", nodeId=node, selector="#load-file")["nodeId"]
    browser.send("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / "more.jsonl")])
    browser.wait("document.getElementById('loaded').innerText")
    assert browser.text("#loaded") == (
        "1 label loaded, 1 row of no item here, 1 score that the scale does not have, 1 line that cannot be read"
    )
    assert browser.errors == []


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


def test_keys_search_facets_bounds_and_order(browser: Browser, tmp_path: Path) -> None:
    names = [f"n{n}" for n in range(20)]
    begin(browser, page(tmp_path, judgments(names), items(names)))
    assert browser.text("#count") == "20 judgments" and browser.text("#detail h2") == "n0"
    browser.key("j", "j", "k", "ArrowDown", "End")
    assert browser.text("#detail h2") == "n19" and browser.run("location.hash") == "#id=n19"
    browser.key("/", *"quince", "Enter")
    assert browser.text("#count") == "6 of 20 judgments"
    assert browser.run("document.querySelectorAll('#detail mark').length") >= 0
    browser.key("Home")
    assert browser.text("#detail h2") == "n2" and browser.text("#detail mark") == "quince"
    browser.click("#system-1")
    assert listed(browser) == ["n5", "n11", "n17"]
    browser.click("#sort-score")
    assert (
        listed(browser) == ["n17", "n11", "n5"]
        and browser.run("document.querySelector('[aria-sort=descending]').innerText") == "Score ▾"
    )
    browser.click("#sort-score")
    assert listed(browser) == ["n5", "n11", "n17"]
    browser.click("#clear")
    assert browser.text("#count") == "20 judgments"
    browser.run(
        "(() => { const e = document.getElementById('bound-low'); e.value = 4.5; e.dispatchEvent(new Event('change')); })()"
    )
    assert len(listed(browser)) == 3 and browser.text("#filters-open") == "Filters (1)"
    browser.key("/", *"nowhere", "Enter")
    assert browser.text("#nothing") == "No judgment passes these filters. Clear all"
    browser.click("#nothing button")
    assert browser.text("#count") == "20 judgments"
    browser.key("Escape", "?")
    assert browser.run("document.getElementById('help').open")
    browser.key("Escape")
    assert not browser.run("document.getElementById('help').open") and browser.errors == []


def test_a_link_leads_to_one_judgment(browser: Browser, tmp_path: Path) -> None:
    names = ["a", "b&c=d #é", "__proto__"]
    address = page(tmp_path, judgments(names, ("fluency", "coherence")), items(names))
    for name in names[1:]:
        browser.open("about:blank#")
        browser.run("1")
        begin(browser, address)
        browser.run(f"location.hash = 'criterion=coherence&id=' + encodeURIComponent({json.dumps(name)})")
        browser.wait(f"document.querySelector('#detail h2').innerText === {json.dumps(name)}")
        assert "coherence" in browser.text("#detail header p")
    browser.run("location.hash = 'id=missing'")
    browser.wait("document.getElementById('detail').innerText.includes('There is no item missing on this page.')")
    assert browser.errors == []


def test_hostile_data_neither_runs_nor_asks_for_anything(browser: Browser, tmp_path: Path) -> None:
    attack = (
        HOSTILE
        + '<img src=x onerror="document.title=1"><style>*{display:none}</style><a href="javascript:alert(1)">x</a>'
    )
    given = [
        Judgment(attack, attack, 1.0, probabilities={attack: 0.5, "b": 0.5}, flags=(attack,), feedback=(attack,)),
        Judgment("b", attack, None, error=attack),
    ]
    address = page(tmp_path, given, [Item(attack, {attack: attack, "response": attack, "system": attack})])
    begin(browser, address)
    browser.key("j", "k", "l")
    assert attack.split("\x00")[0] in browser.text("#reading")
    assert browser.run("document.scripts.length") == 2 and browser.run("document.images.length") == 0
    assert browser.errors == [] and set(browser.requests) <= {address, "data:,"}
    assert browser.run("document.querySelector('#reading .unprinted').innerText") == "U+0000"


def test_five_thousand_items_stay_fluid(browser: Browser, tmp_path: Path) -> None:
    names = [f"item-{n:04}" for n in range(5000)]
    begin(browser, page(tmp_path, judgments(names), items(names)))
    rows = "document.querySelectorAll('#rows [role=row]').length"
    assert browser.text("#count") == "5,000 judgments" and browser.run(rows) < 60
    frames = """new Promise((done) => {
      const pane = document.getElementById("rows"), times = [];
      let before = performance.now();
      const step = () => {
        times.push(performance.now() - before);
        before = performance.now();
        pane.scrollTop += 900;
        if (times.length < 60) requestAnimationFrame(step); else done(times.sort((a, b) => a - b)[54]);
      };
      requestAnimationFrame(step);
    })"""
    assert browser.run(frames) < 100, "milliseconds between frames, all but a tenth of them"
    assert browser.run(rows) < 60
    browser.key("End")
    assert browser.text("#detail h2") == "item-4999" and browser.run(rows) < 60
    took = browser.run(
        "(() => { const s = document.getElementById('search'); s.value = 'quince 49'; const t = performance.now();"
        " s.dispatchEvent(new Event('input')); return new Promise((done) => setTimeout(() => done(performance.now() - t), 150)); })()"
    )
    assert browser.text("#count").endswith("of 5,000 judgments") and took < 1000
    browser.click("#sort-score")
    assert browser.errors == []


def test_on_a_phone_the_list_gives_way_to_the_item_and_nothing_is_wider_than_the_screen(
    browser: Browser, tmp_path: Path
) -> None:
    names = ["a" * 300, "b", "ג" * 40]
    texts = [Item(name, {"response": "x" * 400, "source": "word " * 900, "instruction": "שלום עולם"}) for name in names]
    address = page(tmp_path, judgments(names, ("fluency", "c" * 80)), texts)
    wide = "document.documentElement.scrollWidth"
    seen = "['list', 'detail', 'reading', 'card'].filter((id) => document.getElementById(id).offsetParent !== null)"
    browser.resize(375, 700)
    try:
        begin(browser, address)
        assert browser.run(seen) == ["list"] and browser.run(wide) == 375
        browser.click("#rows [role=row]")
        assert browser.run(seen) == ["detail"] and browser.run(wide) == 375
        browser.click("#detail .back")
        browser.wait("document.getElementById('look').dataset.pane === 'list'")
        assert browser.run(seen) == ["list"]
        browser.click("#to-label")
        assert browser.run(seen) == ["reading", "card"] and browser.run(wide) == 375
        browser.click("#label-3")
        browser.click("#label-3")
        assert browser.text("#reading h2") == "b" and browser.run(wide) == 375
        low = browser.run("Math.min(...[...document.querySelectorAll('.choices button')].map((b) => b.offsetHeight))")
        assert low >= 40, "buttons are high enough for a thumb, in pixels"
    finally:
        browser.resize(1440, 900)


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


@pytest.mark.parametrize("given", [[], judgments(["only"]), [Judgment("a", "mine", None, error="no response")]])
def test_few_judgments_make_a_page_too(browser: Browser, tmp_path: Path, given: list[Judgment]) -> None:
    begin(browser, page(tmp_path, given, None))
    browser.key("j", "Enter", "Escape", "l", "1", "s", "u", "ArrowRight", "Escape")
    assert browser.errors == []
    if not given:
        assert browser.text("#nothing") == "There is no judgment in scores.jsonl."
