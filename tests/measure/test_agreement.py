"""The study of agreement on readings whose truth is known, and the choice of a reading without labels."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from lager_lite.records import Head
from lager_lite.scoring import layer_logits
from tests.measure import agreement, newsroom
from tests.measure.agreement import scores_of_all, table_of
from tests.measure.label_free import READINGS, chosen_elsewhere, compared
from tests.measure.readings import Kept, unit_states
from tests.measure.tables import markdown

GROUPS, STATES, WIDTH, LABELS = 24, 3, 12, 5


def _kept(*, by_length: bool) -> Kept:
    """72 judgments of 24 texts; people follow the length of the response, or what the states hold beside it."""
    rng = np.random.default_rng(0)
    count = 3 * GROUPS
    words = rng.integers(5, 60, count)
    hidden = rng.normal(size=count)
    truth = np.log(words) - np.log(words).mean() if by_length else hidden
    human = np.clip(np.round(3 + 1.2 * truth / truth.std() + 0.4 * rng.normal(size=count)), 1, LABELS)
    directions = rng.normal(size=(STATES, WIDTH))
    states = rng.normal(size=(count, STATES, WIDTH)) + 1.5 * hidden[:, None, None] * directions
    rows = rng.normal(size=(LABELS, WIDTH))
    head = Head(rows.astype(np.float32), None, "rms", None, None, 1e-6)
    raw, norm = layer_logits(states.astype(np.float32), head)
    kept, rms = unit_states(states)
    return Kept(
        states=kept,
        rms=rms,
        raw=raw,
        norm=norm,
        rows=head.rows,
        norm_weight=np.ones(WIDTH, np.float32),
        norm_eps=np.array(1e-6),
        mass=np.ones(count),
        labels=np.array(list("12345")),
        values=np.arange(1.0, LABELS + 1),
        human=human,
        people=human[:, None],
        item=np.array([f"item {n}" for n in range(count)]),
        criterion=np.full(count, "good"),
        group=np.array([f"text {n // 3}" for n in range(count)]),
        system=np.full(count, ""),
        length=words.astype(float),
        response=np.array(["word " * n for n in words]),
        source=np.full(count, ""),
        tokens=np.full(count, 100),
    )


@pytest.mark.parametrize("by_length", [True, False])
def test_the_study_tells_judging_from_counting_words(by_length):
    kept = _kept(by_length=by_length)
    table = table_of("tiny", "made", kept, scores_of_all(kept, splits=1), resamples=200)
    rows = {row.method: row for row in table.rows}
    assert table.base in ("length", "surface") if by_length else rows["states"].gain[0] > 0.5
    assert (rows["length"].agreement[0] > 0.6) == by_length
    assert (table.gain[1] > 0) != by_length
    text = markdown([table])
    assert text.startswith("1 set and 1 backbone make 1 combination. In each the method that agrees best")
    assert f"- It is above length and surface on {int(not by_length)} of 1 set.\n" in text
    assert f"- It is above a bag of words, too, on {int(not by_length)}.\n" in text
    assert ("| made | tiny | `states` | **" in text) != by_length
    assert "| no model | *length* |" in text and "| tiny | `states` |" in text
    assert text.count("### made") == 1


def test_what_the_states_know_without_the_source_is_set_beside_them():
    kept = _kept(by_length=False)
    blind = replace(kept, states=np.random.default_rng(3).normal(size=kept.states.shape).astype(np.float16))
    scores = scores_of_all(kept, splits=1, methods=("states",), bare=blind)
    table = table_of("tiny", "made", kept, scores, resamples=200)
    assert table.best == "states" and table.over_bare[1] > 0
    same = scores_of_all(kept, splits=1, methods=("states",), bare=kept)
    assert table_of("tiny", "made", kept, same, resamples=200).over_bare == (0.0, 0.0, 0.0)
    assert "of `states` on `states, no source` " in markdown([table])


def test_a_set_has_no_say_in_the_reading_that_is_chosen_for_it():
    here = dict.fromkeys(READINGS, 0.1) | {"e_score": 0.2}
    there = dict.fromkeys(READINGS, 0.1) | {"direct": 0.9}
    table = {("one", "here"): here, ("one", "there"): there}
    assert chosen_elsewhere(table) == {"here": "direct", "there": "e_score"}
    assert set(compared(_kept(by_length=False))) == set(READINGS)


def test_a_study_that_was_interrupted_goes_on_from_the_scores_that_were_kept(tmp_path, capsys, monkeypatch):
    made = scores_of_all(_kept(by_length=False), splits=1, methods=("states",))
    monkeypatch.setattr(agreement, "scores_of_all", lambda *_, **__: made)
    for backbone in ("tiny", "other"):
        (tmp_path / backbone).mkdir()
        np.savez(tmp_path / backbone / "made.npz", **asdict(_kept(by_length=False)))
    agreement.main([str(tmp_path), "--splits", "1"])
    first = capsys.readouterr()
    assert "1 set and 2 backbones make 2 combinations." in first.out and first.err.count("made.scores") == 2
    agreement.main([str(tmp_path), "--splits", "1"])
    second = capsys.readouterr()
    assert second.out == first.out and second.err == ""
    agreement.main([str(tmp_path), "--splits", "1", "--again"])
    assert capsys.readouterr().err.count("made.scores") == 2


def test_the_newsroom_tables_show_what_control_takes_away(tmp_path, capsys, monkeypatch):
    made = _kept(by_length=True)
    count = len(made.human)
    kept = replace(
        made,
        system=np.array([f"system {n % 3}" for n in range(count)]),
        criterion=np.array(["good", "clear", "clear"])[np.arange(count) % 3],
        states=np.concatenate([made.states, np.log(made.length)[:, None, None] * np.ones((1, 1, 12))], axis=1),
    )
    np.savez(tmp_path / "made.npz", **asdict(kept))
    monkeypatch.setattr(newsroom, "LABELS", ((12, 1), (20, 1)))
    for part in ("articles", "systems", "terms", "labels"):
        newsroom.main([str(tmp_path / "made.npz"), "--splits", "1", "--draws", "2", "--only", part])
    articles, systems, terms, labels = capsys.readouterr().out.strip().split("\n\n")
    assert articles.count("\n| ") == systems.count("\n| ") == 8 and "| states | " in systems
    figures = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in terms.splitlines()[2:]}
    assert float(figures["plain"][1]) > 0.6
    assert abs(float(figures["--control length"][1])) < 0.2
    assert [line.split(" | ")[0] for line in labels.splitlines()[2:]] == ["| 12", "| 20"]
