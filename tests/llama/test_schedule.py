from __future__ import annotations

import itertools

import numpy as np
import pytest

from lager_lite.llama.schedule import common_prefix, plan, plan_alone, plan_steady, sort_prompts, unique_tokens


def arrays(*prompts):
    return [np.array(p, dtype=np.int32) for p in prompts]


def simulate(steps, capacity, max_leaves, ordered=True):
    """Carry out a plan on a memory of dictionaries; return {prompt: the tokens it saw}.

    A token takes the lowest free cell, as in the real cache, and the cells of a sequence must ascend with its positions.
    """
    memory: dict[int, dict[int, tuple[int, int]]] = {0: {}}  # sequence: {position: (cell, token)}
    seen, evaluated = {}, 0
    for step in steps:
        assert 0 < len(step.tokens) <= capacity
        for sequence, length in step.copies:
            assert 0 < sequence <= max_leaves
            memory[sequence] = {p: memory[0][p] for p in range(length)}
        outputs = dict.fromkeys(row for row, _ in step.outputs)
        taken = {cell for cells in memory.values() for cell, _ in cells.values()}
        free = (cell for cell in itertools.count() if cell not in taken)
        for row, (token, position, sequences) in enumerate(
            zip(step.tokens.tolist(), step.positions.tolist(), step.sequences)
        ):
            assert sequences, "a token without a sequence is lost"
            cell = next(free)
            for sequence in sequences:
                cells = memory.setdefault(sequence, {})
                assert len(cells) == position, "positions of a sequence must follow one another"
                assert not ordered or position == 0 or cells[position - 1][0] < cell, "attention would change the order"
                cells[position] = cell, token
            if row in outputs:
                outputs[row] = [memory[sequences[0]][p][1] for p in range(position + 1)]
        for row, prompt in step.outputs:
            assert prompt not in seen
            seen[prompt] = outputs[row]
        evaluated += len(step.tokens)
        sequence, length = step.carry
        fresh = [row for row, group in enumerate(step.sequences) if sequence in group]
        assert fresh == list(range(len(fresh)))
        memory = {0: {p: memory[sequence][p] for p in range(length)}}
    return seen, evaluated


def tree(rng, *branching):
    """Prompts that share their beginnings: (branches, tokens) for each level."""
    if not branching:
        return [np.empty(0, np.int32)]
    (count, tokens), *rest = branching
    return [
        np.concatenate([own, below]).astype(np.int32)
        for own in (rng.integers(0, 999, rng.integers(tokens // 2, tokens * 3 // 2)) for _ in range(count))
        for below in tree(rng, *rest)
    ]


def test_prompts_are_sorted_and_neighbours_compared():
    order, shared = sort_prompts(arrays([2, 1], [1, 5, 6], [1, 5], [300, 1], [1, 5, 6]))
    assert order.tolist() == [2, 1, 4, 0, 3]
    assert shared.tolist() == [0, 2, 3, 0, 0]
    assert unique_tokens(arrays([1, 5, 6], [1, 5], [1, 7])) == 4
    assert common_prefix(np.array([1, 2]), np.array([1, 2, 3])) == 2


def test_a_shared_token_is_sent_once_with_all_its_sequences():
    (step,) = plan(arrays([7, 8, 1], [7, 8, 2]), capacity=10, max_leaves=4)
    assert step.tokens.tolist() == [7, 8, 2, 1]
    assert step.positions.tolist() == [0, 1, 2, 2]
    assert step.sequences == ((1, 2), (1, 2), (2,), (1,))
    assert step.outputs == ((2, 1), (3, 0))
    assert step.copies == ()


def test_the_trunk_carries_what_the_next_step_shares():
    first, second = plan(arrays([7, 8, 1], [7, 8, 2]), capacity=10, max_leaves=1)
    assert first.carry == (1, 2)
    assert second.copies == ((1, 2),)
    assert second.tokens.tolist() == [2]
    assert second.positions.tolist() == [2]


def test_a_prompt_longer_than_a_step_is_cut_and_continued():
    steps = list(plan(arrays(range(8)), capacity=3, max_leaves=4))
    assert [s.tokens.tolist() for s in steps] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert [s.outputs for s in steps] == [(), (), ((1, 0),)]
    assert [s.carry for s in steps] == [(1, 3), (1, 6), (1, 0)]


@pytest.mark.parametrize("length", range(2, 30))
def test_no_prompt_is_cut_one_token_before_its_end(length):
    steps = list(plan(arrays(range(length)), capacity=7, max_leaves=4))
    assert min(len(s.tokens) for s in steps) > 1
    assert len(steps) == -(-length // 7)


def test_a_prompt_one_token_longer_than_one_that_fills_a_step_leaves_a_lone_row():
    # measure_company reads a lone row in this way.
    steps = list(plan(arrays(range(6), range(7)), capacity=6, max_leaves=4))
    assert [len(s.tokens) for s in steps] == [6, 1]


def test_equal_prompts_share_one_row():
    (step,) = plan(arrays([1, 2], [1, 2]), capacity=8, max_leaves=8)
    assert step.outputs == ((1, 0), (1, 1))


@pytest.mark.parametrize("seed", range(40))
def test_every_prompt_sees_exactly_its_tokens_and_no_node_runs_twice(seed):
    rng = np.random.default_rng(seed)
    prompts = [rng.integers(0, 3, size=rng.integers(1, 12)).astype(np.int32) for _ in range(rng.integers(1, 60))]
    capacity, leaves = int(rng.integers(1, 20)), int(rng.integers(1, 9))
    seen, evaluated = simulate(plan(prompts, capacity, leaves), capacity, leaves)
    assert seen == {i: p.tolist() for i, p in enumerate(prompts)}
    assert evaluated == unique_tokens(prompts)


@pytest.mark.parametrize("seed", range(20))
def test_articles_with_summaries_and_criteria_need_hardly_more_steps_than_full_ones(seed):
    """Whatever is left of a summary goes into one step with the next summaries: only the end of an article may stand alone."""
    rng = np.random.default_rng(seed)
    capacity, articles = 512, 8
    prompts = tree(rng, (1, 20), (articles, 1200), (7, 60), (4, 40))
    steps = list(plan(prompts, capacity, 64))
    seen, evaluated = simulate(steps, capacity, 64)
    assert seen == {i: p.tolist() for i, p in enumerate(prompts)}
    assert evaluated == unique_tokens(prompts)
    assert len(steps) <= 1.25 * evaluated / capacity + 1.5 * articles


def test_recurrent_memories_get_whole_prompts_one_by_one():
    prompts = arrays([1, 2, 3], [1, 2])
    seen, evaluated = simulate(plan_alone(prompts, capacity=2), 2, 1)
    assert seen == {0: [1, 2, 3], 1: [1, 2]}
    assert evaluated == 5


def test_impossible_limits_and_empty_prompts_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 0, 1"):
        list(plan(arrays([1]), 0, 1))
    with pytest.raises(ValueError, match="without tokens"):
        list(plan(arrays([]), 4, 1))


def test_a_plan_without_the_order_of_cells_sees_the_same_tokens_in_fewer_steps():
    """Three articles of 30 tokens with seven endings each, behind 5 common tokens, in steps of 40 tokens."""
    rng = np.random.default_rng(0)
    head = rng.integers(0, 99, 5)
    articles = [np.concatenate([head, rng.integers(0, 99, 30)]) for _ in range(3)]
    prompts = [np.concatenate([a, rng.integers(0, 99, 4)]).astype(np.int32) for a in articles for _ in range(7)]
    found = {}
    for ordered in (True, False):
        steps = list(plan(prompts, 40, 16, ordered=ordered))
        seen, evaluated = simulate(steps, 40, 16, ordered)
        assert seen == {i: p.tolist() for i, p in enumerate(prompts)}
        found[ordered] = (len(steps), evaluated)
    assert found[True][1] == found[False][1] == unique_tokens(prompts)
    assert found[False][0] < found[True][0]


def test_a_steady_plan_cuts_every_prompt_at_multiples_and_shares_whole_pieces():
    long = list(range(10, 20))
    prompts = arrays([*long, 1], [*long[:7], 2], long[:4], [5], [*long, 1])
    steps = list(plan_steady(prompts, 4))
    assert [(s.tokens.tolist(), s.positions[0], s.copies, s.outputs, s.carry) for s in steps] == [
        ([5], 0, (), ((0, 3),), (1, 0)),
        ([10, 11, 12, 13], 0, (), ((3, 2),), (1, 4)),
        ([14, 15, 16, 2], 4, ((1, 4),), ((3, 1),), (1, 4)),
        ([14, 15, 16, 17], 4, ((1, 4),), (), (1, 8)),
        ([18, 19, 1], 8, ((1, 8),), ((2, 0), (2, 4)), (1, 0)),
    ]
    seen, _ = simulate(steps, 4, 1)
    assert seen == {i: p.tolist() for i, p in enumerate(prompts)}


def test_a_steady_plan_makes_the_same_steps_of_a_prompt_in_any_company():
    rng = np.random.default_rng(1)
    prompts = [rng.integers(0, 2, rng.integers(1, 30)).astype(np.int32) for _ in range(60)]
    seen, _ = simulate(list(plan_steady(prompts, 6)), 6, 1)
    assert seen == {i: p.tolist() for i, p in enumerate(prompts)}
    pieces = {(p.tobytes(), start) for p in prompts for start in range(0, len(p), 6)}
    for step in plan_steady(prompts, 6):
        for _, index in step.outputs:
            assert (prompts[index].tobytes(), int(step.positions[0])) in pieces
