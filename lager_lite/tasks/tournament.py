"""How often each system wins, and in which order the systems stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..data import counted, group_names
from ..stats import TOO_FEW_GROUPS, Interval, bradley_terry, compared_parts, interval_over, resampled, warnings_of_few
from .comparing import Compared

_STRENGTHS_FROM = 3


@dataclass(frozen=True)
class Standing:
    """One system.

    system: its name.
    pairs: how many comparisons it was in.
    won: how many of them it won, ties counted as half.
    win_rate: won per pair, 0 to 1.
    interval: of `win_rate`, over groups (the prompts); None where undefined or from too few of them.
    human_rate: the same of people's preferences, over `human_pairs`; None where nobody said.
    human_pairs: how many of the pairs people have a preference for.
    strength: Bradley-Terry strength in logits, 0 for a system in the middle; None with fewer than three systems.
    strength_interval: of `strength`, over groups; None with it.
    part: number of the part of systems, from 1, that were compared with each other, be it through others.
    """

    system: str
    pairs: int
    won: float
    win_rate: float
    interval: Interval | None
    human_rate: float | None
    human_pairs: int
    strength: float | None
    strength_interval: Interval | None
    part: int


@dataclass(frozen=True)
class Tournament:
    """The systems of compared pairs, best first.

    standings: one entry per system; the parts one after the other.
    pairs: how many comparisons of two systems there are; a pair that stands there several times counts once.
    groups: how many prompts they are in.
    parts: how many parts the systems are in that were never compared with each other.
    notes: what the user should know, in sentences.
    """

    standings: tuple[Standing, ...]
    pairs: int
    groups: int
    parts: int
    notes: tuple[str, ...]

    @property
    def human_pairs(self) -> int:
        """How many of `pairs` people have a preference for."""
        return sum(one.human_pairs for one in self.standings) // 2

    @property
    def by_people(self) -> str:
        """What the win rates by people are of, in a sentence."""
        return f"by people: of the {self.human_pairs} of {counted(self.pairs, 'comparison')} that have a preference of people"

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; `warnings` are the notes, under the name that all commands use."""
        return {**asdict(self), "warnings": list(self.notes)}


@dataclass(frozen=True)
class _Games:
    """Comparisons of two systems. one, two: their numbers, int (g,). points: of the first, float64 (g,), 0, 0.5 or 1.
    human: people's preference for the first, NaN where nobody said. group: of the prompt, (g,)."""

    names: tuple[str, ...]
    one: np.ndarray
    two: np.ndarray
    points: np.ndarray
    human: np.ndarray
    group: np.ndarray

    def wins(self, weight: np.ndarray) -> np.ndarray:
        """How often each system beat each, float64 (R, m, m), under weights (R, g)."""
        m = len(self.names)
        place = np.concatenate([self.one * m + self.two, self.two * m + self.one])
        points = np.concatenate([self.points, 1.0 - self.points])
        tables = [np.bincount(place, np.tile(row, 2) * points, minlength=m * m) for row in weight]
        return np.array(tables).reshape(-1, m, m)


def tournament(compared: Compared, *, seed: int = 0, resamples: int = 1000) -> Tournament | None:
    """Win rates and strengths of the systems, with 95% intervals over groups; None where no system is named.

    Pairs of equal texts count as ties. Left out are pairs without a verdict, of one system with itself, and of a system
    without a name.
    """
    games, notes = _games(compared)
    if games is None:
        return Tournament((), 0, 0, 0, notes) if notes else None
    whole = games.wins(np.ones((1, len(games.points))))[0]
    played = whole + whole.T
    part = compared_parts(played)
    ranked = len(games.names) >= _STRENGTHS_FROM
    rates, strengths = [], []
    for _, weight in resampled(games.group, np.random.default_rng(seed), resamples):
        drawn = games.wins(weight)
        with np.errstate(divide="ignore", invalid="ignore"):
            rates.append(drawn.sum(axis=2) / (drawn + np.swapaxes(drawn, 1, 2)).sum(axis=2))
        if ranked:
            strengths.append(bradley_terry(drawn))
    rate, strength = np.concatenate(rates), np.concatenate(strengths) if ranked else None
    middle = bradley_terry(whole) if ranked else None
    parts, groups = int(part.max()) + 1, int(np.unique(games.group).size)
    if parts > 1:
        notes = (*notes, _apart(games.names, part))
    found = []
    for number, name in enumerate(games.names):
        mine = (games.one == number) | (games.two == number)
        own = int(np.unique(games.group[mine]).size)
        human = np.where(games.one == number, games.human, 1.0 - games.human)[mine]
        known = int(np.isfinite(human).sum())
        found.append(
            Standing(
                system=name,
                pairs=int(played[number].sum().round()),
                won=float(whole[number].sum()),
                win_rate=float(whole[number].sum() / played[number].sum()),
                interval=interval_over(rate[:, number], own, ends=(0.0, 1.0)),
                human_rate=float(np.nanmean(human)) if known else None,
                human_pairs=known,
                strength=None if middle is None else float(middle[number]),
                strength_interval=None if strength is None else interval_over(strength[:, number], groups),
                part=int(part[number]) + 1,
            )
        )
    found.sort(key=lambda one: (one.part, -(one.win_rate if one.strength is None else one.strength), one.system))
    notes = (*notes, *warnings_of_few(len(games.points), groups, "pair"))
    rare = [one.system for one in found if one.interval is None]
    if rare and groups >= TOO_FEW_GROUPS:
        notes = (
            *notes,
            f"no interval for {', '.join(rare)}, compared in too few prompts",
        )
    return Tournament(tuple(found), len(games.points), groups, parts, notes)


def _games(compared: Compared) -> tuple[_Games | None, tuple[str, ...]]:
    """The comparisons of two systems, None where there are none, and what was left out, in sentences."""
    winner = dict(zip(compared.read.tolist(), compared.by(compared.weights)[0].winner.tolist()))
    rows: dict[Any, tuple[str, str, float, list[float], str]] = {}
    notes: list[str] = []
    same = unnamed = 0
    grouped = group_names(
        (pair.group for pair in compared.pairs), (f"pair {number}" for number in range(len(compared.pairs)))
    )
    for number, (pair, group) in enumerate(zip(compared.pairs, grouped)):
        if number in compared.errors:
            continue
        one, two = pair.systems
        if not (one and two):
            unnamed += 1
            continue
        if one == two:
            same += 1
            continue
        # Several people's votes on one pair are one comparison.
        key = frozenset(((one, pair.responses[0]), (two, pair.responses[1]))), group
        human = np.nan if pair.preference is None else pair.preference
        game = rows.setdefault(key, (one, two, winner.get(number, 0.5), [], group))
        game[3].append(human if game[0] == one else 1.0 - human)
    if same:
        notes.append(f"the win rates leave out {counted(same, 'pair')} of a system with itself")
    if unnamed and rows:
        notes.append(f"the win rates leave out {counted(unnamed, 'pair')} without the names of both systems")
    names = tuple(sorted({name for pair in compared.pairs for name in pair.systems if name}))
    if not rows:
        if names:
            alone = f"only the system {names[0]} is named: win rates need two systems"
            notes.append(alone if len(names) == 1 else "no two systems were compared: there are no win rates")
        return None, tuple(notes)
    names = tuple(sorted({name for one, two, *_ in rows.values() for name in (one, two)}))
    numbers = {name: number for number, name in enumerate(names)}
    ones, twos, points, votes, groups = zip(*rows.values())
    humans = [float(np.mean(known)) if (known := [v for v in own if np.isfinite(v)]) else np.nan for own in votes]
    return (
        _Games(
            names,
            np.array([numbers[name] for name in ones]),
            np.array([numbers[name] for name in twos]),
            np.array(points, dtype=np.float64),
            np.array(humans, dtype=np.float64),
            np.array(groups),
        ),
        tuple(notes),
    )


def _apart(names: tuple[str, ...], part: np.ndarray) -> str:
    sets = ["; ".join(", ".join(members) for members in _members(names, part))]
    return f"the systems are in {int(part.max()) + 1} parts that were never compared with each other, so their order holds inside each part only: {sets[0]}"


def _members(names: tuple[str, ...], part: np.ndarray) -> Iterator[list[str]]:
    for number in range(int(part.max()) + 1):
        yield [name for name, mine in zip(names, part) if mine == number]
