from __future__ import annotations

import json

import numpy as np
import pytest

from lager_lite.errors import COMMAND, DataError, through
from lager_lite.stats import half_width
from lager_lite.tasks import GateRule, gate, read_scores

LABELS = {str(n): 0.2 for n in range(1, 6)}


def row(identity, score, rubric="helpfulness", **more):
    """A row as `score` writes it without weights."""
    own = {"id": identity, "rubric": rubric, "score": score, "raw_score": score, "direct": 3, "e_score": score}
    return {**own, "uniform": 2.5, "mass": 0.9, "tokens": 100, "probabilities": LABELS, "error": None, **more}


@pytest.fixture
def rows(tmp_path):
    """Writes rows to a file and reads them as a gate does."""
    made = []

    def read(values):
        path = tmp_path / f"{len(made)}.jsonl"
        made.append(path)
        path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
        return read_scores(path)

    return read


def under(bound, **more):
    return GateRule({"": bound}, **more)


def test_a_mean_is_met_missed_or_undecided_by_its_interval(rows):
    # Mean 3, standard error 0.5, and Student's t of 3 degrees of freedom 3.182: the interval is 1.409 to 4.591.
    found = rows([row(n, score) for n, score in enumerate((2.0, 2.0, 4.0, 4.0))])
    (check,) = gate(found, under(3.5)).checks
    half = 3.182446 * np.sqrt((4 * 1.0**2) / 16 * 4 / 3)
    assert (check.value, check.rows, check.groups) == (3.0, 4, 4)
    assert (check.low, check.high) == pytest.approx((3 - half, 3 + half), abs=1e-5)
    assert [gate(found, under(bound)).checks[0].verdict for bound in (1.1, 2.9, 3.5, 4.9)] == [
        "met", "undecided", "undecided", "missed",
    ]  # fmt: skip


def test_an_undecided_mean_passes_unless_the_gate_is_strict_and_says_how_much_would_decide(rows):
    found = rows([row(n, 2.0 + 2 * (n % 2)) for n in range(16)])
    loose, strict = (gate(found, under(3.2, strict=strict)) for strict in (False, True))
    assert (loose.passed, strict.passed, strict.failing) == (True, False, strict.checks)
    (check,) = loose.checks
    assert check.needed == int(np.ceil(16 * ((check.high - 3.0) / 0.2) ** 2))


def test_rows_of_a_group_count_as_one(rows):
    values = [row(n, 2.0 + 2 * (n // 8), topic=f"t{n // 8}") for n in range(16)]
    alone, grouped = gate(rows(values), under(3)), gate(rows(values), under(3, group="topic"))
    assert (alone.checks[0].groups, grouped.checks[0].groups) == (16, 2)
    assert grouped.checks[0].high - 3.0 > 3 * (alone.checks[0].high - 3.0) or grouped.checks[0].high == 5.0


def test_a_group_counts_once_in_whatever_spelling(rows):
    names = ("Doc1", "doc1 ", "DOC1", 1, "1", 1.0)
    values = [row(n, 2.0 + n, topic=name) for n, name in enumerate(names)]
    assert gate(rows(values), under(3, group="topic")).checks[0].groups == 2


def test_intervals_over_few_groups_cover_as_they_say():
    rng, hits = np.random.default_rng(0), 0
    groups = np.repeat(np.arange(8), 3)
    for _ in range(600):
        values = 3.0 + rng.normal(size=8)[groups] + rng.normal(size=24)
        hits += abs(values.mean() - 3.0) <= half_width(values, groups)
    assert 0.92 <= hits / 600 <= 0.98  # three standard errors of 600 runs at 0.95


def test_every_part_has_a_bound_of_its_own(rows):
    values = [row(n, 4.0 + n / 100, rubric, model=f"m{n % 2}") for n in range(6) for rubric in ("fluency", "coherence")]
    found = rows(values)
    by_rubric = gate(found, GateRule({"": 3.0, "coherence": 4.5}, by="criterion"))
    assert [(c.part, c.bound, c.verdict) for c in by_rubric.checks] == [
        ("fluency", 3.0, "met"),
        ("coherence", 4.5, "missed"),
    ]
    assert [c.part for c in gate(found, GateRule({"m1": 3.0}, by="system")).checks] == ["m1"]
    with pytest.raises(DataError, match="there is a bound for 'm9', and no such part"):
        gate(found, GateRule({"m9": 3.0}, by="system"))
    with pytest.raises(DataError, match="no row has the field 'topic'"):
        gate(found, under(3.0, by="topic"))


def test_a_comparison_pairs_rows_by_id_and_rubric(rows):
    new = rows([row(n, 3.0 + n / 10 - 0.05 * (1 + n % 2)) for n in range(10)] + [row("new", 1.0), row("x", None)])
    old = rows([row(n, 3.0 + n / 10) for n in reversed(range(10))] + [row("gone", 5.0), row("x", 2.0)])
    found = gate(new, GateRule({}, no_worse_than=0.1), old)
    (check,) = found.checks
    assert (check.kind, check.rows, check.verdict) == ("change", 10, "met")
    assert check.value == pytest.approx(-0.075)
    assert found.warnings == (
        "the comparison leaves out 1 row that is not in the earlier run",
        "the comparison leaves out 1 row that is not in this run",
        "there are only 10 rows, so intervals are wide: use 200 or more",
    )
    assert gate(new, GateRule({}, no_worse_than=0.0), old).checks[0].verdict == "missed"
    assert gate(old, GateRule({}, no_worse_than=0.0), old).checks[0].verdict == "met"  # nothing changed


def test_another_scale_other_weights_and_other_items_are_refused(rows):
    rule = GateRule({}, no_worse_than=0.1)
    old = rows([row(n, 3.0) for n in range(4)])
    wide = rows([row(n, 3.0, probabilities={str(k): 0.1 for k in range(10)}) for n in range(4)])
    with pytest.raises(DataError, match="helpfulness has another scale in the earlier run"):
        gate(wide, rule, old)
    # The same reading and another score.
    with pytest.raises(DataError, match="the two runs were scored with other weights"):
        gate(rows([row(n, 3.5, e_score=3.0) for n in range(4)]), rule, old)
    # Another response, and weights with a margin.
    fitted = rows([row(n, 3.5, e_score=2.0, low=3.0, high=4.0) for n in range(4)])
    with pytest.raises(DataError, match="only this run was scored with fitted weights"):
        gate(fitted, rule, old)
    with pytest.raises(DataError, match="only the earlier run was scored with fitted weights"):
        gate(old, rule, fitted)
    # Another judge: several models on one side only.
    panel = rows([row(n, 3.5, e_score=2.0, members=[3.0, 4.0]) for n in range(4)])
    with pytest.raises(DataError, match="only this run was scored by a panel of models"):
        gate(panel, rule, old)
    with pytest.raises(DataError, match="only the earlier run was scored by a panel of models"):
        gate(old, rule, panel)
    with pytest.raises(DataError, match=r"no row has an id and a rubric of the earlier run; here 0 \(helpfulness\)"):
        gate(old, rule, rows([row(f"other{n}", 3.0) for n in range(4)]))


def test_turns_of_a_conversation_count_as_one_unless_a_field_is_named(rows):
    values = [row(f"t{n % 2}#{n}", 2.0 + n % 2, conversation=f"t{n % 2}", turn=n) for n in range(8)]
    own = [row(n, 3.0) for n in range(2)]
    assert [gate(rows(values + own), under(3.0, **how)).checks[0].groups for how in ({}, {"group": "id"})] == [4, 10]


@pytest.mark.parametrize(("count", "verdict"), [(2, "undecided"), (12, "undecided"), (40, "met")])
def test_scores_that_are_all_alike_decide_only_where_they_are_many(rows, count, verdict):
    found = gate(rows([row(n, 4.0) for n in range(count)]), under(3.5))
    (check,) = found.checks
    # 1 - 0.025 ** (1 / count) of the others may be 1 instead of 4, or 5.
    share = 1 - 0.025 ** (1 / count)
    assert (check.low, check.high, check.verdict) == (pytest.approx(4 - 3 * share), pytest.approx(4 + share), verdict)
    assert check.needed == (None if verdict == "met" else 21)
    assert any(f"all {count} scores are alike" in said for said in found.warnings)
    assert any(f"there are only {count} groups" in said for said in found.warnings) is (count < 10)
    unknown = gate(rows([row(n, 4.0, probabilities=None) for n in range(count)]), under(3.5)).checks[0]
    assert (unknown.low, unknown.verdict) == (None, "undecided")


def test_rows_without_a_score_are_counted_and_may_be_allowed(rows):
    found = rows([row(n, 4.0 + n / 100) for n in range(9)] + [row("bad", None, error="the response is too long")])
    none, one, share = (gate(found, under(3.0, max_errors=most)) for most in (0, 1, 0.1))
    assert (none.passed, one.passed, share.passed) == (False, True, True)
    assert none.summary == "failed: 1 check, 1 met, 1 row without a score, 0 allowed"
    assert none.first_error.endswith("item bad (helpfulness): the response is too long")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "no rows in it"),
        ([{"id": 1, "response": "Hi.", "score": 3}], "its keys are id, response, score"),
        ([row("a", None, error="too long")], "no row has a score"),
        ([row("a", float("nan"))], "no row has a score"),
        ([row("a", True)], "key 'score' holds True, expected a number"),
        ([row("a", 3.0), row("a", 4.0)], "the item a was judged by helpfulness before"),
        ([{**row("a", 3.0), "id": None}], "not a row of `score`, since it has no id and rubric"),
        ([row("a", 3.0), row("b", 3.0, probabilities={"0": 1.0})], "the rubric helpfulness has another scale than at"),
        ([row("a", 3.0, low=2.0, high=4.0), row("b", 3.0)], "two judges scored under the rubric helpfulness"),
        ([row("a", 3.0), row("b", 3.0, members=[3.0, 3.0])], "two judges scored under the rubric helpfulness"),
    ],
)
def test_files_that_are_no_scores_of_one_judge_are_refused(rows, values, message):
    with pytest.raises(DataError) as caught:
        rows(values)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("values", "rule", "message"),
    [
        ([row(1, 3.0), row(2, 3.0)], under(7), "the bound 7 lies outside the scale of the scores, 1 to 5"),
        ([row(1, 3.0)], under(3), "all rows (1) are of one group, so there is no interval"),
        (
            [row(1, 3.0), row(2, 3.0, "other", probabilities={"a": 0.5, "b": 0.5})],
            under(3),
            "the rubrics have different scales: helpfulness from 1 to 5, other from 1 to 2",
        ),
    ],
)
def test_bounds_that_mean_nothing_are_refused(rows, values, rule, message):
    with pytest.raises(DataError) as caught:
        gate(rows(values), rule)
    assert message in caught.value.message


def test_a_comparison_of_too_few_common_rows_says_how_many_are_left_out(rows):
    new, old = rows([row(n, 3.0) for n in range(6)]), rows([row(0, 3.0)])
    with pytest.raises(DataError) as caught:
        gate(new, GateRule({}, no_worse_than=0.1), old)
    assert "the 1 row of 6 that could be held against a bound" in caught.value.message
    assert "the comparison leaves out 5 rows that are not in the earlier run" in caught.value.message


def test_the_advice_about_a_bound_and_a_field_can_be_followed(rows):
    found = rows([row(1, 3.0), row(2, 3.0)])
    with pytest.raises(DataError) as alone:
        gate(found, under(7))
    assert alone.value.hint == "give a bound on the scale"
    with pytest.raises(DataError) as parts, through(COMMAND):
        gate(found, under(7, by="criterion"))
    assert parts.value.hint.endswith("this part alone: --fail-under 'helpfulness=5'")
    with pytest.raises(DataError) as unknown:
        gate(found, under(3, by="topic"))
    assert unknown.value.message.endswith("the keys are " + ", ".join(row(1, 3.0)))


def test_numbers_that_are_none_are_refused():
    for wrong in ({"no_worse_than": float("nan")}, {"confidence": 1.0}, {"no_worse_than": -1.0}, {"max_errors": -1}):
        with pytest.raises(DataError):
            under(3, **wrong)
    with pytest.raises(DataError, match="a gate needs a bound"):
        GateRule({})
