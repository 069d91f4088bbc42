"""Feedback before the score: the judge writes first, and the score is read after what it wrote.

The lead is forced once the feedback has ended, so every judgment gets a score, whatever was written. In the
prompt that is read, feedback is untrusted text: it is tokenized without control tokens. It is stored by its
content, as readings are, so a run that was stopped does not write it again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import PromptError
from ..llama import Backbone, Generator, Request, Sampling, unique_tokens
from ..prompts import FEEDBACK_END
from ..records import Feedback, Reading
from ..system import signals_held
from .store import Store
from .tokens import ScoreTokens, TokenizedPrompt

TEMPERATURE = 0.7
TOP_P = 0.95
_BROKEN = "\ufffd"
# While a text grows, the lead is looked for in this many of its last tokens.
_TAIL = 16


@dataclass(frozen=True)
class Reasoning:
    """How the judge writes feedback before the score.

    - `tokens`: the most tokens of one feedback, at least 1.
    - `votes`: the number of texts for each judgment, at least 1; their layer logits are averaged.
    - `temperature`: the temperature of sampling; 0 writes the likeliest text.
    - `seed`: the random seed of sampling.

    Raises PromptError for numbers out of range, and for several votes at temperature 0, which would be the same.
    """

    tokens: int
    votes: int = 1
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tokens < 1 or self.votes < 1 or not self.temperature >= 0:
            raise PromptError(
                f"feedback of {self.tokens} tokens, {self.votes} votes, temperature {self.temperature:g}: out of range",
                "tokens and votes start at 1, the temperature at 0",
            )
        if self.votes > 1 and self.temperature == 0:
            raise PromptError(
                f"at temperature 0 all {self.votes} votes are the same",
                f"use a temperature, for instance {TEMPERATURE}",
            )

    def settings(self) -> dict[str, str]:
        """Return the settings that weights fitted with this feedback belong to, by name."""
        how = "greedy"
        if self.temperature:
            how = f"{self.votes} sampled at temperature {self.temperature:g}, top-p {TOP_P:g}, seed {self.seed}"
        return {"feedback": f"up to {self.tokens} tokens, {how}"}

    def key(self, context: bytes, prompt: np.ndarray, lead: str, vote: int) -> bytes:
        """Return the 16-byte key of one text, a hash of everything that the text depends on."""
        facts = (self.tokens, self.temperature, self.temperature and (TOP_P, self.seed, vote), lead)
        digest = hashlib.blake2b(context, digest_size=16)
        digest.update(repr(facts).encode("utf-8", "surrogatepass"))
        digest.update(np.asarray(prompt, dtype="<i4").tobytes())
        return digest.digest()


def write_feedback(
    backbone: Backbone,
    prompts: Sequence[np.ndarray],
    leads: Sequence[str],
    reasoning: Reasoning,
    *,
    context: bytes,
    store: Store | None = None,
    count: Callable[..., None] = lambda **_: None,
) -> list[tuple[Feedback, ...]]:
    """Return the feedback for every prompt, one text for each vote.

    - `prompts`: int32 (n,) each, the tokens up to where the feedback begins.
    - `leads`: the lead of each prompt; a text that reaches the lead by itself ends there.
    - `context`: the key of everything else that changes a text (see `keys.context_key`).
    - `store`: where texts are looked up and kept. Texts that it lacks are written together.
    - `count`: called with numbers to add: `stored_feedback` (texts from the store), `prompt_tokens`, `planned_tokens`,
      `planned_texts`, `most_generated`, `evaluated_tokens`, `generated_tokens` and `written_texts`.

    Raises BackendError where llama.cpp fails, and StoreError.
    """
    keys = [
        [reasoning.key(context, p, lead, vote) for vote in range(reasoning.votes)] for p, lead in zip(prompts, leads)
    ]
    wanted = {key: number for number, own in enumerate(keys) for key in own}
    found = store.get_feedback(list(wanted)) if store else {}
    count(stored_feedback=len(found))
    missing = [(key, number) for key, number in wanted.items() if key not in found]
    if missing:
        marks = [leads[number].strip() for _, number in missing]
        requests = [Request(prompts[number], seed=(int.from_bytes(key, "big"),)) for key, number in missing]
        given = [r.prompt for r in requests]
        count(**_planned(backbone, given, reasoning.tokens))
        copies = max(Counter(r.prompt.tobytes() for r in requests).values())
        sampling = Sampling(reasoning.temperature, TOP_P)

        def ended(request: int, tokens: Sequence[int]) -> bool:
            return marks[request] in backbone.detokenize(tokens[-_TAIL:])

        with Generator(backbone, given, most=reasoning.tokens, copies=copies) as generator:
            texts = generator.follow(requests, sampling=sampling, stop=ended)
            evaluated = drawn = 0
            while True:
                with signals_held():
                    try:
                        text = next(texts)
                    except StopIteration:
                        break
                    if text is not None:
                        key = missing[text.request][0]
                        found[key] = Feedback(_tidy(backbone.detokenize(text.tokens), marks[text.request]), text.drawn)
                        if store:
                            store.put_feedback([(key, found[key], context)])
                count(
                    generated_tokens=generator.drawn - drawn,
                    evaluated_tokens=generator.evaluated - evaluated,
                    written_texts=int(text is not None),
                )
                evaluated, drawn = generator.evaluated, generator.drawn
    return [tuple(found[key] for key in own) for own in keys]


def _planned(backbone: Backbone, prompts: Sequence[np.ndarray], most: int) -> dict[str, int]:
    """Return the numbers to add before a text is written for every prompt."""
    tokens = sum(map(len, prompts))
    return {
        "prompt_tokens": tokens,
        "planned_tokens": unique_tokens(prompts) if backbone.can_share else tokens,
        "planned_texts": len(prompts),
        "most_generated": len(prompts) * most,
    }


def behind(
    backbone: Backbone, prompt: TokenizedPrompt, feedback: str, labels: ScoreTokens, reasoning: Reasoning
) -> TokenizedPrompt:
    """Return the prompt to read: `prompt`, the feedback as untrusted text, and the lead."""
    text = backbone.tokenize(f" {feedback}", parse_special=False)[: reasoning.tokens] if feedback else []
    end = backbone.tokenize(FEEDBACK_END, parse_special=True)
    return prompt.followed_by(text, untrusted=True).followed_by([*end, *labels.lead], untrusted=False)


def reserve(backbone: Backbone, labels: ScoreTokens, reasoning: Reasoning) -> int:
    """Return the most tokens that `behind` adds."""
    return reasoning.tokens + len(backbone.tokenize(FEEDBACK_END, parse_special=True)) + len(labels.lead)


def averaged(readings: Sequence[Reading], feedback: Sequence[str]) -> Reading:
    """Return one reading for all votes, whose layer logits are the means over their readings.

    Layer weights are linear in the layer logits, and so are those of kind "states" in the states, so combining the
    means gives the mean of the combined votes.
    """
    first = readings[0]
    if len(readings) == 1:
        return replace(first, feedback=tuple(feedback))
    states = [r.states for r in readings if r.states is not None]
    masses = [r.mass for r in readings if r.mass is not None]
    return Reading(
        raw=_mean([r.raw for r in readings]),
        norm=_mean([r.norm for r in readings]),
        mass=float(np.mean(masses)) if len(masses) == len(readings) else None,
        tokens=max(r.tokens for r in readings),
        feedback=tuple(feedback),
        states=_mean(states).astype(np.float16) if len(states) == len(readings) else None,
    )


def _mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of arrays of one shape, float32, summed in float64."""
    return np.asarray(np.mean(arrays, axis=0, dtype=np.float64)).astype(np.float32)


def _tidy(text: str, mark: str) -> str:
    """Return the text before the lead, without the whitespace around it and without an incomplete last character."""
    return text.partition(mark)[0].rstrip(_BROKEN).strip()
