from __future__ import annotations

import html
import importlib.util
import json
import re
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from lager_lite.errors import LagerError, OutputError
from lager_lite.evaluation.evaluate import evaluate
from lager_lite.report import check_report, page
from lager_lite.report import evaluation_figures as figures
from lager_lite.report.evaluation import report
from lager_lite.stats import Interval
from tests.evaluation.test_compare import ORIGIN
from tests.evaluation.test_evaluate import labelled
from tests.report.browser import CHROMIUM

HOSTILE = '<script>alert("x")</script> & $x_1$ \\frac'
PROBE = """<script>addEventListener("load", () => {
  const box = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top + scrollY, r.width, r.height].map(Math.round); };
  const found = {inner: innerWidth, wide: document.documentElement.scrollWidth, figures: [...document.querySelectorAll("figure svg")].map(box),
    fetched: performance.getEntriesByType("resource").map(e => e.name), tall: document.body.offsetHeight,
    text: Math.min(...[...document.querySelectorAll("figure svg text")].map(t => t.getBoundingClientRect().height))};
  parent.postMessage(JSON.stringify(found), "*");
});</script>"""
# A window cannot be narrower than 500 pixels, a frame can.
FRAME = """<!DOCTYPE html><body style="margin: 0"><script>addEventListener("message", (e) => {
  document.body.append(Object.assign(document.createElement("pre"), {id: "probe", textContent: e.data}));
});</script><iframe src="r.html" style="border: 0; width: %dpx; height: 9000px"></iframe></body>"""


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    data = labelled()
    data = replace(data, criterion=np.where(data.criterion == "a", HOSTILE, "b"))
    return evaluate(data, criteria=True, like=["authors-code"], splits=1, resamples=60)


@pytest.fixture(scope="module")
def text(found):
    tradeoff = [(1, 0.1, Interval(0.0, 0.2, 0.95, 60)), (2, None, None), (3, 0.4, Interval(0.3, 0.5, 0.95, 60))]
    origin = replace(ORIGIN, model=HOSTILE, data=HOSTILE + "-a-name-without-a-place-to-break" * 3)
    return report(found, origin, tradeoff)


def test_the_page_says_the_finding_the_warnings_and_where_it_comes_from(found, text):
    lead, notes = html.unescape(text).index(found.verdict.text), html.unescape(text).index('class="notes"')
    assert (
        lead
        < notes
        < html.unescape(text).index("<h2>Methods</h2>")
        < html.unescape(text).index("<h2>How this was made</h2>")
    )
    for warning in found.warnings:
        assert warning in text
    for part in (
        "Q4_1",
        "flash_attn auto",
        "numpy 2",
        "5 folds by group, split once, seed 0",
        "SHA-256 ff",
        "reading 1.0",
        "Shorter passes",
    ):
        assert part in text
    for method in found.methods:
        assert f'<th scope="row">{method.name}</th><td>{method.overall.spearman:.3f}</td>' in text


def test_text_of_others_is_escaped_everywhere(text):
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(") >= 4


def test_the_page_needs_nothing_from_elsewhere(text):
    assert not re.search(r'\bsrc=|@import|<link rel="stylesheet"|<metadata', text)
    assert set(re.findall(r'href="([^"#]+)', text)) <= {"data:,"}
    assert set(re.findall(r"url\(([^#)][^)]*)", text)) == set()
    assert set(re.findall(r"https?://[^\"' <]+", text)) <= {"http://www.w3.org/1999/xlink"}


def test_every_figure_is_sound_named_and_in_the_colours_of_the_page(text):
    drawn = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    # methods, layers, four pictures of weights, before, after, distributions, trade-off
    assert len(drawn) == 10
    seen = set()
    for svg in drawn:
        root = ET.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
        title, about = (e.get("id") for e in list(root)[:2])
        assert root.get("aria-labelledby") == f"{title} {about}" and root.get("width") is None
        assert all(len(e.text) > 10 for e in list(root)[:2])
        ids = [e.get("id") for e in root.iter() if e.get("id")]
        assert not seen & set(ids)
        seen |= set(ids)
        assert {ref for ref in re.findall(r'(?:url\(#|href="#)([^")]+)', svg)} <= set(ids)
        assert "#0a0b0" not in svg and "var(--ink)" in svg and "DejaVu" not in svg


def test_a_figure_is_the_same_bytes_twice(found):
    assert figures.layers("x", found.layers, None) == figures.layers("x", found.layers, None)


def test_full_weights_are_a_map_with_a_cell_per_state_and_label(found):
    full = next(f for f in found.fitted if f.kind == "full")
    svg = figures.weights("w", full, found.values)
    assert svg.count("; opacity:") == 4 * 10 - 1, "full weights read both lenses; all but the largest weight are paler"


def test_few_points_are_points_and_many_are_boxes(found):
    few = figures.predicted("x", found.human[:40], found.method("full").raw[:40], found.values, title="few points")
    many = figures.predicted("x", found.human, found.method("full").raw, found.values, title="many points")
    assert few.count("<use ") > 40 + 8 > many.count("<use ")


def test_the_line_of_means_never_joins_single_scores(found):
    assert [figures.parts_by_length(n) for n in (3, 11, 12, 40, 1680)] == [1, 1, 2, 6, 10]
    n = len(found.human)
    text = report(replace(found, length=tuple(np.log1p(np.arange(n)))), ORIGIN)
    assert n >= 60 and "The line joins the means of 10 parts of equal size." in text


def test_an_evaluation_without_a_fitted_method_has_a_page(found):
    plain = evaluate(labelled(), kinds=["uniform"], splits=1, resamples=60)
    text = report(plain, ORIGIN)
    assert "No weights were fitted, so there is no verdict on any." in text and "Shorter passes" not in text


def test_a_missing_matplotlib_is_said_before_any_file_is_opened(invoke, monkeypatch, tmp_path):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "matplotlib" else real(name, *a))
    with pytest.raises(LagerError):
        check_report()
    done = invoke("eval", "none.jsonl", "-m", "none.gguf", "--report", tmp_path / "r.html")
    assert (done.exit_code, done.stderr) == (
        1,
        "Error: a report needs matplotlib, which is not installed\nTry: pip install 'lager-lite[report]'\n",
    )


def test_a_page_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(OutputError, match="r.html: cannot write: No such file or directory"):
        page.write_page(tmp_path / "no" / "r.html", "x")


def test_parts_that_are_not_markup_are_escaped_paragraphs():
    table = page.html_table(("i<j",), [("k<l",)], label='m"n')
    text = page.page("a<b", "c<d", [("e<f", ["g<h", table])], notes=["o<p"])
    for part in (
        "<h1>a&lt;b</h1>",
        "c&lt;d",
        "<h2>e&lt;f</h2>",
        "<p>g&lt;h</p>",
        "i&lt;j",
        '<th scope="row">k&lt;l</th>',
        "m&#34;n",
        "<li>o&lt;p</li>",
    ):
        assert part in text


def test_numbers_and_intervals_are_written_in_one_way():
    assert [page.html_number(0.12345), page.html_number(2.0, 2), page.html_number(None)] == ["0.123", "2.00", "-"]
    assert [page.html_difference(0.5), page.html_difference(-0.5), page.html_difference(None)] == [
        "+0.500",
        "-0.500",
        "",
    ]
    assert [page.html_interval(Interval(-0.1, 0.25, 0.95, 9)), page.html_interval(None)] == ["-0.100 to 0.250", "-"]


def test_a_table_that_is_wider_than_a_phone_says_that_it_scrolls():
    few_long, many_short = ("mean", "all judged", "kept", "difference"), ("full says", "1", "2", "3", "4", "5")
    long = ("select-length-appropriateness", "4.462", "4.777", "+0.315")
    assert 'class="scroll wide"' in page.html_table(few_long, [long], label="wide")
    assert 'class="scroll"' in page.html_table(many_short, [("people: 1", *"00200")], label="narrow")
    assert 'class="scroll"' in page.html_table(("a",), [], label="empty")
    assert 'content: "Scroll sideways' in page.page("t", "l", [])


def browse(folder, page, width, *more):
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},9000",
        *more,
        (folder / page).as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_in_a_browser_fits_loads_nothing_and_shows_every_figure(text, tmp_path, width):
    from matplotlib.image import imread

    (tmp_path / "r.html").write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    (tmp_path / "frame.html").write_text(FRAME % width, encoding="utf-8")
    done = browse(tmp_path, "frame.html", width, "--dump-dom")
    probe = json.loads(re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL).group(1))
    assert probe["inner"] == width
    assert probe["wide"] <= width, "the page scrolls sideways"
    assert probe["fetched"] == [] and "CONSOLE" not in done.stderr
    assert probe["text"] >= 8, "text of a figure is too small to read, in pixels"
    assert probe["tall"] < 9000, "the screenshot below must hold the whole page"
    browse(tmp_path, "frame.html", width, f"--screenshot={tmp_path / 'shot.png'}")
    pixels = imread(tmp_path / "shot.png")[:, :, :3]
    assert len(probe["figures"]) == 10
    for left, top, wide, high in probe["figures"]:
        assert wide > 250 and high > 100
        part = pixels[top : top + high, left : left + wide]
        drawn = np.abs(part - part[0, 0]).max(axis=2) > 0.1
        assert drawn.mean() > 0.01, "the figure is blank"


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_the_page_prints(text, tmp_path):
    (tmp_path / "r.html").write_text(text, encoding="utf-8")
    browse(tmp_path, "r.html", 1280, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'r.pdf'}")
    pdf = (tmp_path / "r.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 8
