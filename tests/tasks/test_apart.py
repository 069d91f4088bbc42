from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lager_lite.errors import DataError
from lager_lite.judging import Judge
from lager_lite.llama import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.records import Item
from lager_lite.tasks import estimate_mean, next_rows
from lager_lite.tasks.apart import unlike, without_copies


def items(count, words, start=0):
    texts = [" ".join(f"word{n}" for n in range(k % words + words)) for k in range(start, start + count)]
    return [Item(str(n), {"instruction": f"Question {n + start}?", "response": text}) for n, text in enumerate(texts)]


def test_copies_of_labelled_items_are_left_out_however_they_are_spelled():
    first, second, third = items(3, 9)
    copy = Item("x", {name: "  " + text.upper().replace(" ", " - ") for name, text in first.fields.items()})
    kept, said = without_copies([first], [copy, second, third])
    assert kept == [second, third] and said == ["1 of 3 items is labelled as well, and left out of the judgments"]
    assert without_copies([first], kept) == (kept, [])


def test_labelled_items_that_are_unlike_the_others_are_said():
    rng = np.random.default_rng(0)
    low, high = rng.normal(2, 1, 40), rng.normal(4, 1, 80)
    (said,) = unlike(items(40, 30), low, items(80, 10), high)
    assert "(the judge scores them lower and their responses are longer)" in said
    (said,) = unlike(items(40, 10), low, items(80, 10), high)
    assert "(the judge scores them lower)" in said


def test_items_that_are_drawn_alike_are_hardly_ever_said_to_be_unlike():
    rng = np.random.default_rng(1)
    alike = items(40, 10), items(80, 10, start=40)
    told = [bool(unlike(alike[0], rng.normal(size=40), alike[1], rng.normal(size=80))) for _ in range(400)]
    assert np.mean(told) < 0.02
    assert unlike(alike[0], np.ones(40), alike[1], np.ones(80)) == [] == unlike([], np.ones(0), alike[1], np.ones(80))


def copied(item):
    return replace(item, id=f"copy of {item.id}", fields={name: text.upper() for name, text in item.fields.items()})


def test_estimate_counts_copies_once(tiny_model):
    rubric = make_rubric("good", "Is it good?", template="{sections}\n{criterion}")
    labelled = [replace(item, human={"": (n + 1.0,)}) for n, item in enumerate(items(4, 9))]
    with Judge(tiny_model, rubric=rubric, options=BackendOptions(threads=1)) as judge:
        found = estimate_mean(judge, labelled, [*map(copied, labelled[:3]), *items(2, 9, start=4)])
        with pytest.raises(DataError, match="all of the unlabelled items are labelled ones"):
            estimate_mean(judge, labelled, [copied(labelled[0])])
    assert (found.labelled, found.unlabelled) == (4, 2)
    assert "3 of 5 items are labelled as well, and left out of the judgments" in found.warnings
    assert any("there are only 4 labels" in said for said in found.warnings)


def test_next_names_no_copies():
    class Reader:
        def read(self, some, progress=None):
            rng = np.random.default_rng(0)
            return [(one, None, SimpleNamespace(states=rng.normal(size=(2, 4)).astype(np.float16))) for one in some]

    first, second, third = items(3, 9)
    found = next_rows(Reader(), [first], [copied(first), second, third], 3)
    assert {item.id for item in found.items} == {"1", "2"}
    with pytest.raises(DataError, match="all of the unlabelled rows are labelled ones"):
        next_rows(Reader(), [first], [copied(first)], 3)
