"""The page of `view` in headless Chromium, with real keys and clicks: looking."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lager_lite.records import Item, Judgment
from tests.report.browser import Browser
from tests.report.test_view import HOSTILE
from tests.report.view_pages import begin, items, judgments, listed, page


def test_keys_search_facets_bounds_and_order(browser: Browser, tmp_path: Path) -> None:
    names = [f"n{n}" for n in range(20)]
    begin(browser, page(tmp_path, judgments(names), items(names)))
    assert browser.text("#count").startswith("20 judgments") and browser.text("#detail h2") == "n0"
    browser.key("j", "j", "k", "ArrowDown", "End")
    assert browser.text("#detail h2") == "n19" and browser.run("location.hash") == "#id=n19"
    browser.key("/", *"quince", "Enter")
    assert browser.text("#count").startswith("6 of 20 judgments · mean score ")
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
    assert browser.text("#count").startswith("20 judgments")
    browser.run(
        "(() => { const e = document.getElementById('bound-low'); e.value = 4.5; e.dispatchEvent(new Event('change')); })()"
    )
    assert len(listed(browser)) == 3 and browser.text("#filters-open") == "Filters (1)"
    browser.key("/", *"nowhere", "Enter")
    assert browser.text("#nothing") == "No judgment passes these filters. Clear all"
    browser.click("#nothing button")
    assert browser.text("#count").startswith("20 judgments")
    browser.key("Escape", "?")
    assert browser.run("document.getElementById('help').open")
    browser.key("Escape")
    assert not browser.run("document.getElementById('help').open") and browser.errors == []


def test_errors_have_their_sign_and_are_sorted_by_size(browser: Browser, tmp_path: Path) -> None:
    names = [str(n) for n in range(3)]
    given = [replace(one, score=score) for one, score in zip(judgments(names), (2.5, 1.0, 4.0))]
    texts = [replace(item, human={"": (2.0,)}) for item in items(names)]
    begin(browser, page(tmp_path, given, texts))
    browser.click("#sort-off")
    assert listed(browser) == ["2", "1", "0"]
    column = "[...document.querySelectorAll('#head [role=columnheader]')].findIndex((one) => one.innerText.startsWith('Error'))"
    rows = "[...document.querySelectorAll('#rows [role=row]')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
    assert browser.run(f"{rows}.map((row) => row.children[{column}].innerText)") == ["+2.00", "-1.00", "+0.50"]
    assert browser.text("#means").endswith("error without its sign 1.17") and browser.errors == []


def test_a_link_leads_to_one_judgment(browser: Browser, tmp_path: Path) -> None:
    names = ["a", "b&c=d #é", "__proto__"]
    address = page(tmp_path, judgments(names, ("fluency", "coherence")), items(names))
    for name in names[1:]:
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
    refused = (
        "new Promise((done) => { addEventListener('securitypolicyviolation', (e) => done(e.effectiveDirective)); %s })"
    )
    script = (
        "const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.body.append(s);"
    )
    for attempt, directive in (
        ("fetch('http://127.0.0.1:9/').catch(() => 0);", "connect-src"),
        ("document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }));", "img-src"),
        (f"try {{ {script} }} catch {{ }}", "require-trusted-types-for"),
        ("try { document.body.innerHTML = '<b>x</b>'; } catch { }", "require-trusted-types-for"),
    ):
        assert browser.run(refused % attempt) == directive
    assert browser.run("document.title") != "1"


def test_five_thousand_items_stay_fluid(browser: Browser, tmp_path: Path) -> None:
    names = [f"item-{n:04}" for n in range(5000)]
    begin(browser, page(tmp_path, judgments(names), items(names)))
    rows = "document.querySelectorAll('#rows [role=row]').length"
    assert browser.text("#count").startswith("5,000 judgments") and browser.run(rows) < 60
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
    assert "of 5,000 judgments" in browser.text("#count") and took < 1000
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


@pytest.mark.parametrize("given", [[], judgments(["only"]), [Judgment("a", "mine", None, error="no response")]])
def test_few_judgments_make_a_page_too(browser: Browser, tmp_path: Path, given: list[Judgment]) -> None:
    begin(browser, page(tmp_path, given, None))
    browser.key("j", "Enter", "Escape", "l", "1", "s", "u", "ArrowRight", "Escape")
    assert browser.errors == []
    if not given:
        assert browser.text("#nothing") == "There is no judgment in scores.jsonl."
