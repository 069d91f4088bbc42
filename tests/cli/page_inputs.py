"""Small files under the names that the pages use, in the layouts of the real ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.model_files.tiny import write_tiny_model
from tests.write_data_page import PAGE, write_files

ROOT = Path(__file__).resolve().parents[2]
CRITERIA = ("coherence", "fluency", "informativeness", "relevance")
FRUITS = ("Pear.", "Apple and plum.", "I would rather not.", "Cherry, quince, fig.", "No")


def write_inputs(folder: Path, model: Path, page: str = "") -> None:
    """Write every input that a command of a page names into `folder`; `model` stands for every model file.

    The page `data` brings inputs of its own.
    """
    for name in ("smollm2-135m.BF16.gguf", "BF16.gguf"):
        shutil.copy(model, folder / name)
    # A panel wants two models that differ.
    for name in ("qwen2.5-coder-1.5b.BF16.gguf", "other.gguf"):
        write_tiny_model(folder / name, "llama", n_blocks=2, seed=1)
    for name in CRITERIA:
        target = folder / "tests" / "newsroom" / f"{name}.toml"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / "newsroom" / target.name, target)
    (folder / "accuracy.toml").write_text(
        'criterion = "Is the response right?"\nscale = "1-9"\norder = "rubric-first"\n', encoding="utf-8"
    )
    rows = [{"id": f"i{n}", "instruction": f"Name {n // 2} fruits.", "response": FRUITS[n % 5]} for n in range(10)]
    _lines(folder / "answers.jsonl", [{"id": name, **_without_id(row)} for name, row in zip("ab", rows)])
    _lines(folder / "items.jsonl", rows[:8])
    _lines(folder / "labelled.jsonl", [{**row, "score": 1 + n * 7 % 5} for n, row in enumerate(rows)])
    (folder / "answers.csv").write_text("id,response\n1,Apple.\n2,=1+1\n", encoding="utf-8")
    pairs = [{"prompt": f"Name {n} fruits.", "chosen": FRUITS[n % 5], "rejected": FRUITS[4 - n % 3]} for n in range(12)]
    _lines(folder / "short_pairs.jsonl", pairs)
    for name, start in (("base.jsonl", 0), ("new.jsonl", 3)):
        _lines(folder / name, [{**row, "response": FRUITS[(n + start) % 5]} for n, row in enumerate(rows)])
    _whole(
        folder / "alpaca.json",
        [{"instruction": row["instruction"], "input": "", "output": row["response"]} for row in rows],
    )
    said = [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 3, (*FRUITS, "Fig."))]
    _lines(folder / "talks.jsonl", [{"id": f"talk{n}", "messages": said[: 2 + 2 * n]} for n in range(3)])
    _whole(folder / "judge_bench_newsroom.json", _newsroom())
    _whole(folder / "eq_bench_v2_171.json", {str(n): _eq_bench(n) for n in range(1, 7)})
    _whole(folder / "lager_emotion_430.json", [_emotion(n) for n in range(10)])
    questions = [{"question_id": n, "question": f"Who is {n}?", "answerable": n % 3 > 0} for n in range(20)]
    _whole(folder / "self_aware.json", {"example": questions})
    taught = folder / "models" / "training" / "summaries.jsonl"
    taught.parent.mkdir(parents=True)
    rows_of = (ROOT / taught.relative_to(folder)).read_text(encoding="utf-8").splitlines(keepends=True)
    taught.write_text("".join(rows_of[:30]), encoding="utf-8")
    if page == "tasks":
        _lines(folder / "scores.jsonl", _scored(0.0))
        _lines(folder / "old.jsonl", _scored(0.1))
    if page == "data":
        write_files(folder, PAGE.read_text(encoding="utf-8"))


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _whole(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _scored(more: float) -> list[dict[str, Any]]:
    """Rows as `score` writes them, of 12 items under every criterion."""
    return [
        {
            "id": n,
            "source": f"Text {n // 2}.",
            "rubric": name,
            "score": 3 + n % 3 / 10 + more,
            "e_score": 3 + more,
            "error": None,
        }
        for n in range(12)
        for name in CRITERIA
    ]


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "id"}


def _newsroom() -> dict[str, Any]:
    """The layout of JUDGE-BENCH: six articles with two summaries each."""
    metrics = [
        {"metric": name.title(), "category": "graded", "prompt": "{{ instance }}", "worst": 1, "best": 5}
        for name in CRITERIA
    ]
    instances = []
    for n in range(12):
        scores = {
            name.title(): {"individual_human_scores": [1 + (n * 7 + k) % 5, 3]} for k, name in enumerate(CRITERIA)
        }
        text = f"### Generated Summary\n\nSummary {n}.\n\n### Source Article\n\nArticle {n // 2}.\n"
        instances.append({"id": n, "instance": text, "annotations": scores})
    return {"annotations": metrics, "instances": instances}


def _eq_bench(n: int) -> dict[str, Any]:
    prompt = f"\nA dialogue:\n\nRo: {n}\nAnn: No.\n[End dialogue]\n\nAt the end of this dialogue, Ro would feel...\n"
    answer = {"emotion1": "Sad", "emotion1_score": n % 5, "emotion2": "Glad", "emotion2_score": 9 - n}
    return {"prompt": prompt, "reference_answer": answer, "reference_answer_fullscale": answer}


def _emotion(n: int) -> dict[str, Any]:
    return {
        "dialogue": f"Ro: {n // 2}\nAnn: No.\n",
        "human": "Ro",
        "emotion": "Sad",
        "emotion_score": str(1 + n * 7 % 9),
    }
