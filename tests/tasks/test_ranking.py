"""Ranking: contests, ranks, pairwise accuracy by hand, folds that never split a group, shared instructions."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.data.items import read_items
from lager_lite.data.keys import group_key, group_of
from lager_lite.errors import DataError
from lager_lite.fitting.seen import mark
from lager_lite.judging.judge import Judge
from lager_lite.llama.schedule import unique_tokens
from lager_lite.prompts import make_rubric
from lager_lite.records import Item
from lager_lite.tasks.pairs import fitted_in_folds, pairs_of, preferences
from lager_lite.tasks.ranking import Responses, contests, first_contests, rank, read_responses

RUBRIC = make_rubric("good", "Is it good?", template="{sections}\n{criterion}")


def responses(contest, grade, group=None, logits=None, **scores):
    n = len(contest)
    x = np.zeros((n, 1, 2, 5), np.float32) if logits is None else logits
    return Responses(
        items=tuple(Item(str(i), {"instruction": f"q{c}", "response": "r"}) for i, c in enumerate(contest)),
        contest=np.array(contest),
        group=np.array([str(g) for g in (group or contest)]),
        grade=np.array(grade, dtype=float),
        grades=np.tile(np.array(grade, dtype=float)[:, None], (1, x.shape[1])),
        scores={name: np.array(values, dtype=float) for name, values in scores.items()},
        raw=x,
        norm=x,
        values=np.arange(1.0, 6.0),
        failed=(),
    )


def item(name, where="", group=None, **fields):
    return Item(name, {"response": "r", **fields}, group=group, where=where)


def test_rows_of_one_instruction_or_of_one_line_of_the_file_are_one_contest():
    items = [
        item("a", "f:1", instruction="Q", source="S"),
        item("b", "f:2", instruction="Q2", source="S"),
        item("c", "f:3", instruction="Q", source="S"),
        item("d", "f:4", instruction="Q", source="T"),
        item("e", "f:5", group="g"),
        item("f", "f:6", group="g"),
        item("7/chosen", "f:7", instruction="Q"),
        item("7/rejected", "f:7", instruction="Q"),
        item("8/chosen", "f:8", instruction="Q"),
        item("8/rejected", "f:8", instruction="Q"),
    ]
    assert contests(items).tolist() == [0, 1, 0, 2, 3, 3, 4, 4, 5, 5]
    spelled = [item("a", "f:1", "G", instruction="Q x"), item("b", "f:2", " g", instruction="q  X ")]
    assert contests(spelled).tolist() == [0, 0]
    assert [i.id for i in first_contests(items, 2)] == ["a", "b", "c"]
    with pytest.raises(DataError, match="f:9: item 'x' has no instruction, source or group"):
        contests([item("x", "f:9")])


def test_ranks_are_shared_by_equal_scores_and_stable():
    found = list(rank(responses([0, 1, 0, 0, 1], [np.nan] * 5, e_score=[2, 1, 3, 2, 4], direct=[1, 1, 1, 1, 1])))
    assert [(r["contest"], r["rank"], r["of"], r["id"], r["e_score"]) for r in found] == [
        (1, 1, 3, "2", 3.0),
        (1, 2, 3, "0", 2.0),
        (1, 2, 3, "3", 2.0),
        (2, 1, 2, "4", 4.0),
        (2, 2, 2, "1", 1.0),
    ]
    with pytest.raises(DataError, match="no scores of tuned"):
        list(rank(responses([0], [1], uniform=[2]), "tuned"))


def test_pairwise_accuracy_by_hand():
    """Contest 0: grades 3 > 2 > 1 are three pairs; contest 1: one pair; contest 2: equal; contest 3: one is ungraded."""
    data = responses(
        [0, 0, 0, 1, 1, 2, 2, 3, 3],
        [3, 2, 1, 0, 1, 4, 4, 2, np.nan],
        e_score=[1, 1, 1, 1, 1, 1, 2, 1, 2],
        uniform=[3, 1, 2, 1, 2, 9, 1, 1, 2],
    )
    better, worse = pairs_of(data)
    assert list(zip(better.tolist(), worse.tolist())) == [(0, 1), (0, 2), (1, 2), (4, 3)]
    result = preferences(data, resamples=100)
    even, uniform, length = result.methods
    assert (result.pairs, result.contests, result.groups, result.folds) == (4, 2, 2, None)
    assert (even.accuracy, even.ties, even.gain) == (0.5, 4, None)  # four ties count half each
    assert (uniform.accuracy, uniform.ties, uniform.gain) == (0.75, 0, 0.25)
    # Contest 0 alone gives 2/3, contest 1 alone 1; two groups say next to nothing (Student's t of one degree).
    assert uniform.interval.low == 0.0 and uniform.interval.high == 1.0
    assert (length.accuracy, length.over_baseline.value, even.over_baseline, result.baseline) == (
        0.5,
        0.0,
        None,
        "e_score",
    )
    assert uniform.near_accuracy == 0.75 and result.near_pairs == 4
    assert result.verdict.startswith(
        "uniform puts the better of two responses first in 75.0% of the pairs; 2 groups are too few to tell"
    )
    assert preferences(responses([0, 0], [1, 1], uniform=[1, 2])) is None


def test_pairs_that_the_weights_know_are_left_out_of_the_figures():
    data = responses([0, 0, 1, 1], [2, 1, 1, 2], e_score=[2, 1, 2, 1])
    data = replace(data, items=tuple(Item(str(n), {"instruction": f"Q{n // 2}", "response": "r"}) for n in range(4)))
    first, both = ({"seen_groups": [mark(group_key(group_of(q))) for q in some]} for some in (["q0"], ["Q0", "Q1"]))
    result = preferences(data, fit={**first, "seen_items": [], "seen_version": 3}, resamples=50)
    assert (result.pairs, result.methods[0].accuracy) == (1, 0.0)
    said = "the weights were fitted on responses or groups of 1 of 2 pairs: the figures leave these out"
    assert result.warnings[0] == said and result.to_dict()["warnings"][0] == said
    with pytest.raises(DataError, match="of 2 of 2 pairs: nothing is left"):
        preferences(data, fit=both)


def test_fits_in_folds_order_responses_and_never_see_their_own_group(monkeypatch):
    """State 1 knows who is better. In noise of which every pair exists twice, folds by group find nothing,
    while folds that part the twins know the answers."""
    rng = np.random.default_rng(0)
    contest = np.repeat(np.arange(120), 2)
    grade = np.tile([1.0, 0.0], 120)
    x = rng.normal(size=(240, 1, 3, 5)).astype(np.float32)
    x[:, 0, 1] -= np.outer(grade - 0.5, np.arange(5) - 2)
    result = preferences(
        responses(contest, grade, logits=x, e_score=np.zeros(240)), folds=4, kinds=("signed",), resamples=100
    )
    assert [m.method for m in result.methods] == ["e_score", "length", "surface", "signed"] and result.folds == 4
    signed = result.methods[3]
    assert signed.accuracy > 0.9 and signed.gain_interval.low > 0.3 and signed.over_baseline.interval.low > 0.3
    assert "more often than e_score does (50.0%): the difference is +0.4" in result.verdict

    monkeypatch.setattr("lager_lite.tasks.pairs.SPLITS", 1)
    contest, grade = contest[:160], grade[:160]
    twins = np.concatenate([rng.normal(size=(80, 1, 24, 5)).astype(np.float32)] * 2)

    def right(group):
        found = fitted_in_folds(responses(contest, grade, group, twins), folds=4, kinds=("full",))["full"][0]
        return np.mean(found[::2] > found[1::2])

    assert right((contest % 40).tolist()) < 0.65
    assert right(contest.tolist()) > 0.85


def test_responses_that_fail_under_one_rubric_are_left_out(tiny_model):
    other = make_rubric("short", "Is it short?", template="{sections}\n{criterion}")
    items = [item(n, f"f:{i}", instruction="Q") for i, n in enumerate("abc")]
    items[1] = Item("b", {"instruction": "Q", "response": "long " * 400}, where="f:1")
    from lager_lite.llama.options import BackendOptions

    with Judge(tiny_model, rubric=[RUBRIC, other], options=BackendOptions(ctx_size=200)) as judge:
        found = read_responses(judge, items)
        single = [j.uniform for j in judge.score([items[0]])]
    assert [i.id for i in found.items] == ["a", "c"] and found.failed[0].id == "b"
    assert found.raw.shape[:2] == (2, 2) and set(found.scores) == {"direct", "e_score", "uniform"}
    assert found.scores["uniform"][0] == pytest.approx(np.mean(single), rel=1e-6)


def test_the_shared_instruction_is_evaluated_once(tiny_model):
    instruction = "a long instruction that all four responses share, " * 4
    items = [Item(str(n), {"instruction": instruction, "response": f"response {n}"}, where=f"f:{n}") for n in range(4)]
    with Judge(tiny_model, rubric=RUBRIC) as judge:
        prompts = [judge.encode(i, RUBRIC).prompt.tokens for i in items]
        read_responses(judge, items)
        counts = judge.counts
    assert counts.evaluated_tokens == unique_tokens(prompts) < 0.5 * counts.prompt_tokens


# --- the files and the command --------------------------------------------------------------------


def test_a_list_of_responses_is_spread(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text(
        json.dumps({"id": "q", "question": "Q", "responses": ["a", "b"], "note": "n"})
        + "\n"
        + json.dumps(
            {"question": "P", "responses": [{"response": "c", "score": 2}, {"id": "x", "answer": "d", "score": 4}]}
        )
        + "\n"
    )
    items = read_items(path).items
    assert [i.id for i in items] == ["q/1", "q/2", "2/1", "2/x"]
    assert [i.fields["response"] for i in items] == ["a", "b", "c", "d"]
    assert items[1].fields["note"] == "n" and items[3].human == {"": (4.0,)}
    assert contests(items).tolist() == [0, 0, 1, 1]


@pytest.fixture
def run(tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAGER_LITE_STORE", str(tmp_path / "store.sqlite"))
    (tmp_path / "good.toml").write_text('criterion = "Is it good?"\ntemplate = "{sections} {criterion}"\n')

    def invoke(*arguments):
        return CliRunner().invoke(
            main, ["rank", *map(str, arguments), "-m", str(tiny_model), "-r", "good.toml"], catch_exceptions=False
        )

    return invoke


def test_the_command_ranks_and_counts(run, tmp_path):
    rows = [{"prompt": f"question {n}", "chosen": f"yes {n}", "rejected": f"no {n}"} for n in range(12)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    done = run("pairs.jsonl", "--cv", 3, "-o", "ranks.jsonl", "--json=a.json")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("12 pairs of 12 instructions, 12 groups; surface and weights fitted in 3 folds\n")
    assert [line.split()[0] for line in done.stdout.splitlines()[4:12]] == [
        "direct",
        "e_score",
        "uniform",
        "length",
        "surface",
        "simplex",
        "signed",
        "full",
    ]
    figures = json.loads((tmp_path / "a.json").read_text())
    ranks = [json.loads(line) for line in (tmp_path / "ranks.jsonl").read_text().splitlines()]
    first = sum(1.0 for r in ranks if r["rank"] == 1 and r["id"].endswith("chosen"))
    tied = sum(1.0 for r in ranks if r["rank"] == 1 and r["id"].endswith("rejected")) - (12 - first)
    last = next(m for m in figures["methods"] if m["method"] == "e_score")
    assert last["accuracy"] == pytest.approx((first - tied / 2) / 12)
    assert json.loads(run("pairs.jsonl", "-n", 2, "-o", "-").stdout.splitlines()[3])["contest"] == 2
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    assert run("pairs.jsonl", "--report", "r.html").exit_code == 0
    page = (tmp_path / "r.html").read_text()
    assert page.count("<svg") == 1 and f"<td>{last['accuracy']:.3f}</td>" in page


def test_ungraded_responses_are_ranked_to_stdout_and_cannot_be_fitted(run, tmp_path):
    (tmp_path / "in.json").write_text(json.dumps([{"instruction": "Q", "responses": ["a", "bb", "ccc"]}]))
    done = run("in.json")
    assert done.exit_code == 0, done.output
    assert sorted(json.loads(line)["rank"] for line in done.stdout.splitlines()) == [1, 2, 3]
    assert "parameters are near chance: fit weights on human scores" in done.stderr
    assert run("in.json", "--cv", 3).exit_code == run("in.json", "--report", "r.html").exit_code == 2
    assert run("in.json", "--by", "tuned").exit_code == 2


def test_a_response_that_cannot_be_judged_is_named_and_ends_with_code_1(run, tmp_path):
    rows = [{"id": n, "instruction": "Q", "response": text, "score": n} for n, text in enumerate(["a", None, "bb"])]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("in.jsonl", "-o", "ranks.jsonl", "--json=a.json")
    assert done.exit_code == 1, done.output
    assert "\nError: in.jsonl:2: item 1: no response; the item has only instruction" in done.stderr
    ranks = [json.loads(line) for line in (tmp_path / "ranks.jsonl").read_text().splitlines()]
    assert [(r["id"], r["rank"], r["error"] is None) for r in ranks[2:]] == [(1, None, False)]
    assert [one["id"] for one in json.loads((tmp_path / "a.json").read_text())["failed"]] == [1]
