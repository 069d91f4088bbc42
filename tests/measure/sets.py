"""The public sets of the study of agreement: which items, under which rubrics, with whose scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lager_lite.data.items import read_items
from lager_lite.prompts import Rubric
from lager_lite.records import Item
from lager_lite.tasks.knowledge import stratified

_NEWSROOM = Path(__file__).parents[1] / "newsroom"
_SHORT = Path(__file__).parent / "rubrics"
_TRAINING = Path(__file__).parents[2] / "models" / "training" / "summaries.jsonl"
CRITERIA = ("coherence", "fluency", "informativeness", "relevance")
# The order of the summaries of every article in the file.
SYSTEMS = 7


@dataclass(frozen=True)
class Asked:
    """One judgment to read.

    - `item`: what is judged.
    - `rubric`: under which criterion.
    - `scores`: the scores that people gave.
    - `system`: who wrote the response; "" where unknown.
    - `text`: the text that is judged.
    """

    item: Item
    rubric: Rubric
    scores: tuple[float, ...]
    system: str
    text: str


@dataclass(frozen=True)
class StudySet:
    """Items with scores and the rubrics that ask for them.

    - `items`: the items.
    - `rubrics`: paths or names of rubrics.
    - `systems`: by item id, who wrote the response; empty where unknown.
    """

    items: Sequence[Item]
    rubrics: Sequence[str | Path]
    systems: Mapping[str, str]

    def asked(self, rubrics: Sequence[Rubric]) -> list[Asked]:
        """Every item under every rubric for which it has a score: of the rubric's name, or the only one."""
        found = []
        for item in self.items:
            text = item.fields.get("response") or item.fields.get("instruction") or item.fields["emotion"]
            for rubric in rubrics:
                scores = item.human.get(rubric.name) or (
                    next(iter(item.human.values())) if len(item.human) == 1 else ()
                )
                if scores:
                    found.append(Asked(item, rubric, tuple(scores), self.systems.get(item.id, ""), text))
        return found


def newsroom(data: Path) -> StudySet:
    """All 420 summaries, four criteria, three people each; the summaries of an article come in a fixed order."""
    items = read_items(data / "judge_bench_newsroom.json").items
    systems = {item.id: f"system {(int(item.id) - 1) % SYSTEMS + 1}" for item in items}
    return StudySet(items, [_NEWSROOM / f"{name}.toml" for name in CRITERIA], systems)


def newsroom_part(data: Path) -> StudySet:
    """Newsroom for a slow backbone: 30 articles, cut to 800 characters, and whether the summary is consistent."""
    whole = newsroom(data)
    articles = sorted({item.group or item.id for item in whole.items})[:30]
    items = [
        replace(item, fields={**item.fields, "source": item.fields["source"][:800]})
        for item in whole.items
        if item.group in articles
    ]
    return StudySet(items, [_NEWSROOM / "relevance.toml"], whole.systems)


def helpsteer(data: Path) -> StudySet:
    """The 200 shortest pairs of a preferred and a rejected response: people's preference, 1 or 0."""
    items = read_items(data / "helpsteer_pairs.jsonl").items
    return StudySet(_shortest_groups(items, 400), [_SHORT / "helpful.toml"], {})


def helpsteer_part(data: Path) -> StudySet:
    """The 80 shortest pairs."""
    return replace(helpsteer(data), items=_shortest_groups(helpsteer(data).items, 160))


def emotions(data: Path) -> StudySet:
    """LAGER's own 430 emotions after dialogues, scores 1 to 9."""
    return StudySet(read_items(data / "lager_emotion_430.json").items, [_SHORT / "emotion-1-9.toml"], {})


def eq_bench(data: Path) -> StudySet:
    """The 684 emotions of EQ-Bench, scores 0 to 10, after the same dialogues as `emotions`."""
    return StudySet(read_items(data / "eq_bench_v2_171.json").items, [_SHORT / "emotion-0-10.toml"], {})


def self_aware(data: Path, count: int = 500) -> StudySet:
    """Questions, drawn as `lager-lite knowledge -n` draws them: answerable 5, unanswerable 1."""
    items = read_items(data / "self_aware.json", require=("instruction",)).items
    return StudySet(stratified(items, count, 0), [_SHORT / "answerable.toml"], {})


def mt_bench(data: Path) -> StudySet:
    """Answers to MT-Bench with three scores of GPT-4 each, under the criterion that comes with every item."""
    items = [replace(item, rendered=None) for item in read_items(data / "prometheus_mt_bench.json").items]
    return StudySet(_shortest_groups(items, 240), [_SHORT / "by-item-rubric.toml"], {})


def mt_bench_part(data: Path) -> StudySet:
    """The same for the shortest third of the questions: for a backbone that is slow."""
    return replace(mt_bench(data), items=_shortest_groups(mt_bench(data).items, 100))


def faithfulness(data: Path) -> StudySet:
    """This project's own 300 summaries of 60 texts, each written to deserve its score: no person has graded them."""
    return StudySet(read_items(_TRAINING).items, ["faithfulness"], {})


def _under(whole: Callable[[Path], StudySet], rubric: Path, *, without: str = "") -> Callable[[Path], StudySet]:
    """The items of a set under another rubric, or without one of their texts; `label_free` reads them beside it."""

    def changed(data: Path) -> StudySet:
        found = whole(data)
        items = [replace(i, fields={k: v for k, v in i.fields.items() if k != without}) for i in found.items]
        return StudySet(items, [rubric], found.systems)

    return changed


SETS: Mapping[str, Callable[[Path], StudySet]] = {
    "newsroom": newsroom,
    "newsroom-part": newsroom_part,
    "helpsteer": helpsteer,
    "helpsteer-part": helpsteer_part,
    "emotions": emotions,
    "eq-bench": eq_bench,
    "self-aware": self_aware,
    "mt-bench": mt_bench,
    "mt-bench-part": mt_bench_part,
    "faithfulness": faithfulness,
    "self-aware+letters": _under(self_aware, _SHORT / "answerable-letters.toml"),
    "newsroom-part+letters": _under(newsroom_part, _SHORT / "relevance.toml"),
    "emotions+bare": _under(emotions, _SHORT / "emotion-bare.toml", without="source"),
    "eq-bench+bare": _under(eq_bench, _SHORT / "emotion-bare-0-10.toml", without="source"),
    "faithfulness+bare": _under(faithfulness, _SHORT / "faithful-bare.toml", without="source"),
    "newsroom-part+bare": _under(newsroom_part, _NEWSROOM / "relevance.toml", without="source"),
}


def _shortest_groups(items: Sequence[Item], count: int) -> list[Item]:
    """About `count` items, whole groups only, those with the shortest texts first; in the file's order."""
    sizes: dict[str, list[int]] = {}
    for item in items:
        sizes.setdefault(item.group or item.id, []).append(sum(map(len, item.fields.values())))
    kept: set[str] = set()
    taken = 0
    for group in sorted(sizes, key=lambda name: (sum(sizes[name]) / len(sizes[name]), name)):
        if taken >= count:
            break
        kept.add(group)
        taken += len(sizes[group])
    return [item for item in items if (item.group or item.id) in kept]
