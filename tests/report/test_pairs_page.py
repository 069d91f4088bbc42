"""The page of `pairs`: what it shows of whom, and that texts of others are harmless in it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from lager_lite.report import write_pairs
from lager_lite.tasks import pair_figures, tournament
from tests.evaluation.test_compare import ORIGIN
from tests.tasks.test_comparing import compared, pair

HOSTILE = '<script>alert("x")</script>'
SYSTEMS = ("one", "two", HOSTILE)


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    folder = tmp_path_factory.mktemp("pages")

    def call(found):
        figures, systems = pair_figures(found, resamples=40), tournament(found, resamples=40)
        write_pairs(folder / "p.html", found, figures, systems, replace(ORIGIN, data="pairs.jsonl"))
        return (folder / "p.html").read_text(encoding="utf-8")

    return call


def twelve(preferences):
    gaps = np.linspace(-2, 2, 12)
    pairs = [
        pair(
            f"p{n}",
            f"first {n} {HOSTILE}",
            f"second {n} is longer",
            group=f"g{n % 6}",
            systems=(SYSTEMS[n % 3], SYSTEMS[(n + 1) % 3]),
            preference=preferences and float(n == 0),
        )
        for n in range(12)
    ]
    return compared(gaps, lean=0.5, pairs=pairs)


def test_the_page_shows_agreement_systems_position_and_the_pairs_furthest_from_people(write):
    text = write(twelve(True))
    heads = ["Agreement with people", "Systems", "Position", "Furthest from people", "How this was made"]
    places = [text.index(f"<h2>{head}</h2>") for head in heads]
    assert places == sorted(places)
    assert len(re.findall(r"<svg.*?</svg>", text, re.DOTALL)) == 3, "accuracies, win rates and strengths"
    # People prefer B in p11, which the judge likes least of all, and A in p0, the other way round.
    ids = re.findall(r'<th scope="row">(p\d+): A is better with probability', text)
    assert len(ids) == 10 and set(ids[:2]) == {"p0", "p11"}
    assert '<th scope="row">length</th>' in text and "gain on" in text and "strength" in text


def test_without_preferences_the_pairs_are_those_whose_orders_differ_most(write):
    text = write(twelve(None))
    assert "<h2>Agreement with people</h2>" not in text and "<h2>Where the two orders differ most</h2>" in text
    assert re.findall(r'<th scope="row">(p\d+): A is', text)[0] in ("p5", "p6")


def test_texts_of_others_are_escaped_and_nothing_is_loaded(write):
    text = write(twelve(True))
    assert "<script" not in text and text.count("&lt;script&gt;alert(") > 12
    assert not re.search(r'\bsrc=|@import|<link rel="stylesheet"', text)
    assert set(re.findall(r'href="([^"#]+)', text)) <= {"data:,"}
