"""The judge: items and rubrics in, judgments out.

Work is done in windows: a window's prompts are rendered, tokenized and looked up in the store. What is
missing is evaluated together, so that prompts share prefixes whatever their order, and every decode's
readings are stored before the next one runs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..backbones import locate_model, open_model
from ..errors import PromptError
from ..llama import Backbone, BackendOptions
from ..prompts import ChatTemplate, Rubric, resolve_chat, rubric_hash, with_feedback
from ..records import STATES_KIND, Counts, Item, Judgment, LayerWeights, Part, Pending, Prompt, Reading
from ..scoring import Provenance, WeightsFile, check_weights, shipped_name
from ..system import signals_held
from .basis import basis_of, settings_of, tell_of_others
from .encoding import OVERFLOW, Encoder, Task, flag_counts
from .feedback import Reasoning, averaged, write_feedback
from .gate import Gate
from .given import ItemLike, items_given, rubrics_given
from .judgments import judgment_of
from .keys import Basis
from .quality import doubts, watched
from .reader import Reader, highest_state
from .store import Store
from .tokens import ScoreTokens

WINDOW = 2048

Progress = Callable[[Counts], None]
"""Told what a run has done so far: after every decode, and while prompts are made."""


class Judge:
    """Scores items with one backbone. Use as a context manager, or call `close()`.

    - `model`: what `-m` takes: the path of a GGUF file, a name of the catalog, `hf:user/repo` and the like (see
      `backbones.locate_model`). None: the default model.
    - `rubric`: the name of a shipped rubric, the path of a TOML file, a Rubric, or a list of these; with a list every
      item gets a judgment under each of them.
    - `weights`: fitted layer weights; without them the score is `e_score`, the last layer's expected score.
    - `options`: the settings of llama.cpp.
    - `store`: an open store, which keeps readings; None evaluates every prompt anew.
    - `overflow`: what to do with a prompt that is longer than the context: "error" and "skip" give a judgment with that
      error, "truncate-middle" cuts the middle out of the item's longest text.
    - `chat`: the chat template; None takes the model's own.
    - `max_state`: the state after which the graph ends. None reads as many states as the weights need, and all of them
      without weights. With fewer than all states `direct`, `e_score` and `uniform` are None.
    - `early`: False reads all states even where the weights need fewer.
    - `force`: use weights that were fitted under other settings; `warnings` then names the differences.
    - `states`: whether readings hold whole hidden states, which weights of kind "states" are fitted on; with such
      weights they always do. "keep" also keeps them in the store, where each judgment then takes two bytes for each
      number of a state.
    - `reasoning`: how the judge writes feedback before the score; None for no feedback.
    - `keep_thoughts`: judge the thoughts of a response, such as <think>...</think>, too; they are left out otherwise.

    Threads may share a judge: they take turns, a window of items at a time. After `close()`, in a forked process and
    inside its own progress callback everything but `close()` and the pure functions raises MisuseError.

    Raises ModelFileError, UnsupportedModelError, BackendError, PromptError or WeightsError.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        rubric: str | Path | Rubric | Sequence[str | Path | Rubric] = "default",
        weights: WeightsFile | None = None,
        options: BackendOptions = BackendOptions(),
        store: Store | None = None,
        overflow: str = "error",
        chat: ChatTemplate | None = None,
        max_state: int | None = None,
        early: bool = True,
        force: bool = False,
        reasoning: Reasoning | None = None,
        states: bool | str = False,
        keep_thoughts: bool = False,
    ) -> None:
        if overflow not in OVERFLOW:
            raise PromptError(f"overflow is {overflow!r}, expected one of {', '.join(OVERFLOW)}")
        loaded = rubrics_given(rubric)
        self.rubrics = tuple(map(with_feedback, loaded) if reasoning else loaded)
        self.reasoning = reasoning
        self.states, self.keep_states = bool(states), states == "keep"
        self._gate = Gate("the judge")
        self.file = open_model(model if isinstance(model, Path) else locate_model(model).path)
        self.info = self.file.info
        self.store, self.overflow, self.keep_thoughts = store, overflow, keep_thoughts
        self.chat = chat or resolve_chat(
            self.info.chat_template, special={"bos_token": self.info.bos_text, "eos_token": self.info.eos_text}
        )
        self.warnings: list[str] = []
        self._told: set[str] = set()
        self._told_of_others = False
        self.counts = Counts()
        # Where prompts are evaluated, and how many items' prompts at a time; `scaleout` changes both.
        self.evaluator: Callable[[Sequence[Pending]], Iterator[Part]] = self.evaluate
        self.window = WINDOW
        self.n_states = self.info.whole_blocks + 1
        self.backbone = Backbone(self.info.paths[0], options)
        self.options = self.backbone.options
        self._reader = Reader(self.file, self.backbone, ctx_size=options.ctx_size)
        try:
            self.weights: LayerWeights | None = None
            self.by_rubric: Mapping[str, LayerWeights] = {}
            if weights is not None:
                self.use_weights(weights, force=force)
            needed = weights.max_state if weights is not None and early else self.n_states - 1
            wanted = needed if max_state is None else max_state
            self.max_state = highest_state(self.info, wanted, weighted=weights is not None)
            self._encoder = self._make_encoder()
            self.self_check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Judge:
        self._gate.check()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model, once the decode of another thread has ended; its run then raises MisuseError."""
        with self._gate.closing():
            self._reader.close()
            self.backbone.close()

    def score(self, items: Iterable[ItemLike], *, progress: Progress | None = None) -> Iterator[Judgment]:
        """Judge every item under every rubric; yields in the order of the items, the rubrics of an item together.

        items: Items, dicts with the keys of a file's rows, or rows of pandas. Raises DataError for anything else. What
        makes all these scores doubtful is given as a JudgeWarning, once, and what shows over the run after its end.
        """
        for _, judgment in self.judged(items, progress=progress):
            yield judgment

    def judged(
        self, items: Iterable[ItemLike], *, progress: Progress | None = None, quiet: bool = False
    ) -> Iterator[tuple[Item, Judgment]]:
        """Do as `score`, and yield every judgment with its item. quiet: without any JudgeWarning."""
        found = self._judged(items, progress)
        return found if quiet else watched(found, self.rubrics, self.doubts(), self._told)

    def _judged(self, items: Iterable[ItemLike], progress: Progress | None) -> Iterator[tuple[Item, Judgment]]:
        for item, rubric, reading in self.read(items, progress=progress):
            yield item, self.judgment(item, rubric, reading)

    def read(
        self, items: Iterable[ItemLike], *, progress: Progress | None = None
    ) -> Iterator[tuple[Item, Rubric, Reading | str]]:
        """Read every item under every rubric; yields in the same order as `score`.

        Where an item cannot be read, the reason stands in the place of its reading.
        """
        self._gate.check()
        source = items_given(items)
        most = self._reader.window(self.window, len(self.rubrics), states=self.states)
        while window := list(itertools.islice(source, most)):
            with self._gate.turn():
                tasks, votes, readings = self._read_window(window, progress)
            for task, own in zip(tasks, votes):
                yield task.item, task.rubric, task.error if task.error is not None else self._joined(own, readings)

    def judgment(self, item: Item, rubric: Rubric, reading: Reading | str) -> Judgment:
        """Return the judgment that follows from a reading, or from the reason why there is none."""
        return judgment_of(item, rubric, reading, self.by_rubric.get(rubric.name, self.weights), self.n_states)

    def rendered(self, item: Item, rubric: Rubric) -> Prompt:
        """Return the prompt as text, with trusted and untrusted parts apart."""
        return self._encoder.rendered(item, rubric)

    def encode(self, item: Item, rubric: Rubric) -> Task:
        """Render and tokenize an item; see `Encoder.encode`."""
        self._gate.check()
        return self._encoder.encode(item, rubric)

    def evaluate(self, pending: Sequence[Pending]) -> Iterator[Part]:
        """Read prompts in this process, evaluating what they share once; yields one Part for every decode."""
        return self._reader.read(pending, max_state=self.max_state, states=self.states)

    def self_check(self) -> float:
        """Compare our logits with llama.cpp's, on the score tokens of every rubric too; see `headcheck.check_head`."""
        return self._reader.self_check(self.labels.values())

    def use_weights(self, file: WeightsFile, *, force: bool = False) -> None:
        """Score with these weights from now on. Raises WeightsError where they do not belong to this run."""
        self.warnings += check_weights(file, self.provenance(), force=force)
        self.weights, self.by_rubric = file.weights, file.by_rubric
        self.states = self.states or file.weights.kind == STATES_KIND

    def settings(self) -> dict[str, str]:
        """Return the settings of llama.cpp that change layer logits, by name."""
        return settings_of(self.backbone)

    def provenance(self, **fit: object) -> Provenance:
        """Return what weights that are fitted with this judge are for; the scale is the first rubric's."""
        return Provenance(
            fingerprint=self.info.fingerprint,
            architecture=self.info.architecture,
            quantization=self.info.quantization,
            n_states=self.n_states,
            scale=self.rubrics[0].scale,
            rubrics={r.name: rubric_hash(r) for r in self.rubrics},
            settings={
                **self.settings(),
                **(self.reasoning.settings() if self.reasoning else {}),
                "chat": self.chat.digest,
                "library": self.basis.library,
                "instructions": self.basis.instructions,
                "device": self.basis.device,
            },
            fit=fit,
        )

    @property
    def labels(self) -> Mapping[str, ScoreTokens]:
        """The score tokens of every rubric, by the rubric's name."""
        return self._encoder.labels

    @property
    def limit(self) -> int:
        """The longest prompt in tokens."""
        return self.options.ctx_size or self.backbone.n_ctx_train

    @functools.cached_property
    def basis(self) -> Basis:
        """Names everything but the prompt that changes a reading's numbers."""
        return basis_of(self.backbone, self.info.fingerprint, self.n_states)

    @property
    def context_key(self) -> bytes:
        """The key of `basis`, 16 bytes."""
        return self.basis.key

    def doubts(self) -> tuple[str, ...]:
        """Return why the scores of this judge are likely to tell little, in words; see `quality.doubts`."""
        facts = (self.chat, self.file.parameters, shipped_name(self.provenance()))
        return doubts(*facts) if self.weights is None else ()

    def _read_window(
        self, window: Sequence[Item], progress: Progress | None
    ) -> tuple[list[Task], list[list[Task]], dict[bytes, Reading]]:
        """Read some items under every rubric; returns the tasks, their votes, and the readings by the votes' keys."""
        tasks = [task for item in window for task in self._seen(item, progress)]
        votes = self._votes(tasks, progress)
        cast = [vote for own in votes for vote in own]
        readings = self._stored(cast)
        missing = {t.key: t for t in cast if t.prompt is not None and t.key not in readings}
        self._tell_of_others(missing.values())
        failed = sum(t.error is not None for t in tasks)
        tokens = sum(len(t.prompt.tokens) for t in cast if t.prompt is not None)
        # A judgment counts once, with its first vote.
        open_ = {own[0].key for own in votes} & missing.keys()
        done = len(tasks) - len(open_)
        stored = sum(task.error is None and own[0].key in readings for task, own in zip(tasks, votes))
        self._count(progress, done=done, stored=stored, failed=failed, prompt_tokens=tokens, **flag_counts(tasks))
        for part in self._evaluate(list(missing.values()), progress, open_):
            readings.update(part)
        return tasks, votes, readings

    def _seen(self, item: Item, progress: Progress | None) -> list[Task]:
        tasks = [self.encode(item, rubric) for rubric in self.rubrics]
        self._count(progress, seen=len(tasks))
        return tasks

    def _make_encoder(self) -> Encoder:
        return Encoder(
            self.backbone,
            self.rubrics,
            self.chat,
            context=self.context_key,
            limit=self.limit,
            overflow=self.overflow,
            reasoning=self.reasoning,
            keep_thoughts=self.keep_thoughts,
        )

    def _votes(self, tasks: Sequence[Task], progress: Progress | None) -> list[list[Task]]:
        """Return what is read for every task: the task itself, or one that follows each feedback written for it."""
        if self.reasoning is None:
            return [[task] for task in tasks]
        valid = [(t.prompt.tokens, t.rubric.lead) for t in tasks if t.prompt is not None]
        written = write_feedback(
            self.backbone,
            [tokens for tokens, _ in valid],
            [lead for _, lead in valid],
            self.reasoning,
            context=self.context_key,
            store=self.store,
            count=functools.partial(self._count, progress),
        )
        texts = iter(written)
        return [
            [task] if task.prompt is None else [self._encoder.with_feedback(task, f.text) for f in next(texts)]
            for task in tasks
        ]

    def _joined(self, votes: Sequence[Task], readings: Mapping[bytes, Reading]) -> Reading:
        if self.reasoning is None:
            return readings[votes[0].key]
        return averaged([readings[v.key] for v in votes], [v.feedback for v in votes])

    def _stored(self, tasks: Sequence[Task]) -> dict[bytes, Reading]:
        if self.store is None:
            return {}
        states = None if self.max_state is None else self.max_state + 1
        keys = list({t.key for t in tasks if t.prompt is not None})
        return self.store.get(keys, states=states, whole=self.states)

    def _tell_of_others(self, missing: Iterable[Task]) -> None:
        """Say once where the store holds some of these as another processor's instructions made them."""
        if self.store is not None and not self._told_of_others:
            prompts = [(t.prompt.tokens, self.labels[t.rubric.name].ids) for t in missing if t.prompt is not None]
            self._told_of_others = tell_of_others(self.store, self.basis, prompts)

    def _evaluate(
        self, tasks: Sequence[Task], progress: Progress | None, counted: set[bytes]
    ) -> Iterator[Mapping[bytes, Reading]]:
        if not tasks:
            return
        parts = self.evaluator([task.pending(self.labels[task.rubric.name]) for task in tasks])
        while True:
            # What was evaluated is stored before a signal ends the run.
            with signals_held():
                if (part := next(parts, None)) is None:
                    return
                if part.readings and self.store is not None:
                    rows = [(key, reading, self.context_key) for key, reading in part.readings.items()]
                    self.store.note(self.basis)
                    self.store.put(rows, whole=part.whole, keep_states=self.keep_states)
            done = len(counted & part.readings.keys())
            self._count(progress, done=done, evaluated_tokens=part.evaluated, planned_tokens=part.planned)
            yield part.readings

    def _count(self, progress: Progress | None, **more: int) -> None:
        now = self.counts
        self.counts = Counts(**{name: getattr(now, name) + more.get(name, 0) for name in now.__dataclass_fields__})
        if progress is not None:
            progress(self.counts)
        # Here another thread, or the callback, has its judge closed between two decodes.
        self._gate.check()
