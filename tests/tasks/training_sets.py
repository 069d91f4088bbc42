"""Small training sets in the layouts that `select` reads."""

from __future__ import annotations

import json

ALPACA = [{"instruction": f"Do {n}.", "input": "" if n % 2 else f"with {n}", "output": f"done {n}"} for n in range(6)]
LAYOUTS = {
    "alpaca": ALPACA,
    "messages": [
        {"messages": [{"role": "user", "content": f"Do {n}."}, {"role": "assistant", "content": f"done {n}"}]}
        for n in range(6)
    ],
    "sharegpt": [
        {
            "id": f"s{n}",
            "conversations": [{"from": "human", "value": f"Do {n}."}, {"from": "gpt", "value": f"done {n}"}],
        }
        for n in range(6)
    ],
    "pairs of texts": [{"prompt": f"Do {n}.", "response": f"done {n}", "extra": [n]} for n in range(6)],
}


def write(path, rows, **style):
    text = json.dumps(rows, **style) if path.suffix == ".json" else "".join(json.dumps(r) + "\n" for r in rows)
    path.write_text(text, encoding="utf-8")
    return path
