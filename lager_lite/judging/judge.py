"""The judge: items and rubrics in, judgments out.

Work is done in windows: a window's prompts are rendered, tokenized and looked up in the store; what is
missing is evaluated together, so that prompts share prefixes whatever their order, and every decode's
readings are stored before the next one runs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..backbones import open_model
from ..errors import LagerError, PromptError, UnsupportedModelError, WeightsError
from ..llama import Backbone, BackendOptions, Context, Group
from ..prompts import ChatTemplate, Rubric, load_rubric, render, resolve_chat, rubric_hash, with_feedback
from ..records import Counts, Head, Item, Judgment, LayerWeights, Part, Pending, Prompt, Reading
from ..scoring import Provenance, WeightsFile, check_weights, label_mass, layer_logits
from ..system import signals_held
from .feedback import Reasoning, averaged, behind, reserve, write_feedback
from .headcheck import check_head
from .judgments import judgment_of
from .store import Store, context_key, reading_key
from .tokens import ScoreTokens, TokenizedPrompt, score_tokens, tokenize_prompt

WINDOW = 2048
OVERFLOW = ("error", "skip", "truncate-middle")


@dataclass(frozen=True)
class _Task:
    item: Item
    rubric: Rubric
    prompt: TokenizedPrompt | None
    key: bytes
    error: str | None
    feedback: str = ""


class Judge:
    """Scores items with one backbone.

    model: path of a GGUF; rubric: a name, a TOML file, a Rubric, or a list of these; weights: a
    WeightsFile or None (then the score is `uniform`); store: an open Store or None; overflow: what
    to do with a prompt longer than the context, one of OVERFLOW; max_state: end the graph after
    that state (by default after the last one that the weights need, where weights are given and
    `early` is true; direct, e_score and uniform then are None); reasoning: the judge writes feedback
    before the score. Use as a context manager.

    Raises ModelFileError, UnsupportedModelError, BackendError, PromptError or WeightsError.
    """

    def __init__(
        self,
        model: str | Path,
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
    ) -> None:
        if overflow not in OVERFLOW:
            raise PromptError(f"overflow is {overflow!r}, expected one of {', '.join(OVERFLOW)}")
        rubrics = [rubric] if isinstance(rubric, (str, Path, Rubric)) else rubric
        self.rubrics = tuple(r if isinstance(r, Rubric) else load_rubric(r) for r in rubrics)
        self.reasoning = reasoning
        if reasoning:
            self.rubrics = tuple(map(with_feedback, self.rubrics))
        self.file = open_model(model)
        self.info = self.file.info
        self.options = options
        self.store = store
        self.overflow = overflow
        self.chat = chat or resolve_chat(
            self.info.chat_template, special={"bos_token": self.info.bos_text, "eos_token": self.info.eos_text}
        )
        self.warnings: list[str] = []
        self.counts = Counts()
        # Where prompts are evaluated, and how many items' prompts at a time; `scaleout` changes both.
        self.evaluator: Callable[[Sequence[Pending]], Iterator[Part]] = self.evaluate
        self.window = WINDOW
        self.backbone = Backbone(self.info.paths[0], options)
        self._context: Context | None = None
        self._heads: dict[tuple[int, ...], Head] = {}
        try:
            self.n_states = self.info.whole_blocks + 1
            self.weights: LayerWeights | None = None
            self.by_rubric: Mapping[str, LayerWeights] = {}
            if weights is not None:
                self.use_weights(weights, force=force)
            needed = weights.max_state if weights is not None and early else self.n_states - 1
            self.max_state = self._top(needed if max_state is None else max_state)
            self.labels = {r.name: self._labels(r) for r in self.rubrics}
            self._key = context_key(
                model=self.info.fingerprint,
                states=self.n_states,
                version=self.backbone.library.numerics,
                **self.settings(),
            )
            self.self_check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model."""
        if self._context is not None:
            self._context.close()
            self._context = None
        self.backbone.close()

    def use_weights(self, file: WeightsFile, *, force: bool = False) -> None:
        """Score with these weights from now on. Raises WeightsError where they do not belong to this run."""
        self.warnings += check_weights(file, self.provenance(), force=force)
        self.weights, self.by_rubric = file.weights, file.by_rubric

    def settings(self) -> dict[str, str]:
        """The settings that change layer logits."""
        options = self.options
        return {
            "flash_attn": options.flash_attn,
            "cache_type_k": options.cache_type_k,
            "cache_type_v": options.value_cache_type(self.backbone.gpu_layers),
        }

    def provenance(self, **fit: object) -> Provenance:
        """What weights fitted with this judge are for (the first rubric's scale)."""
        return Provenance(
            fingerprint=self.info.fingerprint,
            architecture=self.info.architecture,
            quantization=self.info.quantization,
            n_states=self.n_states,
            scale=self.rubrics[0].scale,
            rubrics={r.name: rubric_hash(r) for r in self.rubrics},
            settings={**self.settings(), **(self.reasoning.settings() if self.reasoning else {})},
            fit=fit,
        )

    def score(self, items: Iterable[Item], *, progress: Callable[[Counts], None] | None = None) -> Iterator[Judgment]:
        """Judge every item under every rubric; yields in the order of the items, rubrics inside."""
        for _, judgment in self.judged(items, progress=progress):
            yield judgment

    def judged(
        self, items: Iterable[Item], *, progress: Callable[[Counts], None] | None = None
    ) -> Iterator[tuple[Item, Judgment]]:
        """As `score`, every judgment with its item."""
        for item, rubric, reading in self.read(items, progress=progress):
            if isinstance(reading, str):
                yield item, Judgment(id=item.id, rubric=rubric.name, score=None, error=reading, where=item.where)
            else:
                yield item, self.judgment(item, rubric, reading)

    def read(
        self, items: Iterable[Item], *, progress: Callable[[Counts], None] | None = None
    ) -> Iterator[tuple[Item, Rubric, Reading | str]]:
        """The readings of every item under every rubric; a string in a reading's place is the
        reason why there is none."""
        source = iter(items)
        while window := list(itertools.islice(source, self.window)):
            tasks = [self.encode(item, rubric) for item in window for rubric in self.rubrics]
            votes = self._votes(tasks, progress)
            cast = [vote for own in votes for vote in own]
            readings = self._stored(cast)
            missing = {t.key: t for t in cast if t.prompt is not None and t.key not in readings}
            failed = sum(t.error is not None for t in tasks)
            tokens = sum(len(t.prompt.tokens) for t in cast if t.prompt is not None)
            # A judgment counts once, with its first vote.
            open_ = {own[0].key for own in votes} & missing.keys()
            done = len(tasks) - len(open_)
            self._count(progress, done=done, stored=done - failed, failed=failed, prompt_tokens=tokens)
            for part in self._evaluate(list(missing.values()), progress, open_):
                readings.update(part)
            for task, own in zip(tasks, votes):
                yield task.item, task.rubric, task.error if task.error is not None else self._joined(own, readings)

    def judgment(self, item: Item, rubric: Rubric, reading: Reading) -> Judgment:
        """The judgment that follows from a reading."""
        return judgment_of(item, rubric, reading, self.by_rubric.get(rubric.name, self.weights), self.n_states)

    @property
    def context_key(self) -> bytes:
        """Names everything but the prompt that changes a reading's numbers (see `store`)."""
        return self._key

    def evaluate(self, pending: Sequence[Pending]) -> Iterator[Part]:
        """Read prompts here, sharing what they share; one Part for every decode."""
        prompts = [one.tokens for one in pending]
        context = self._context_for(max(map(len, prompts)))
        for group in context.evaluate(prompts, max_state=self.max_state):
            yield Part(self._readings(pending, group), group.logits is not None, group.evaluated)

    def encode(self, item: Item, rubric: Rubric) -> _Task:
        """Render and tokenize, with `reasoning` up to where the feedback begins; an item that cannot be
        judged becomes a task with its error."""
        labels = self.labels[rubric.name]
        kept = reserve(self.backbone, labels, self.reasoning) if self.reasoning else 0
        try:
            prompt = tokenize_prompt(self.backbone, render(rubric, item, self.chat), () if kept else labels.lead)
            prompt = self._fit(prompt, kept)
        except LagerError as error:
            text = f"{error.message} ({error.hint})" if error.hint else error.message
            return _Task(item, rubric, None, b"", text)
        return _Task(item, rubric, prompt, reading_key(self._key, prompt.tokens, labels.ids), None)

    def rendered(self, item: Item, rubric: Rubric) -> Prompt:
        """The prompt as text, trusted and untrusted parts apart."""
        return render(rubric, item, self.chat)

    @property
    def limit(self) -> int:
        """The longest prompt in tokens."""
        return self.options.ctx_size or self.backbone.n_ctx_train

    def self_check(self) -> float:
        """See `headcheck.check_head`, for the first rubric's labels."""
        labels = next(iter(self.labels.values()))
        return check_head(self.backbone, self.file, labels, self._head(labels.ids))

    def _labels(self, rubric: Rubric) -> ScoreTokens:
        return score_tokens(self.backbone, rubric.lead, rubric.scale)

    def _head(self, ids: tuple[int, ...]) -> Head:
        if ids not in self._heads:
            self._heads[ids] = self.file.head(list(ids))
        return self._heads[ids]

    def _top(self, wanted: int) -> int | None:
        """The highest state to read, None for all. A pruned copy lacks the upper ones, and the output
        of its own last block is computed otherwise than in the whole model."""
        if not 0 <= wanted < self.n_states:
            raise WeightsError(
                f"state {wanted} was asked for, the model has 0 to {self.n_states - 1}", "use a lower --max-state"
            )
        pruned = self.info.whole_blocks != self.info.n_blocks
        if pruned and self.weights is not None and wanted > self.info.n_blocks - 1:
            raise WeightsError(
                f"{self.info.paths[0].name} was pruned to states 0 to {self.info.n_blocks - 1}; these weights read up to {wanted}",
                "use the whole model, or weights that read fewer states",
            )
        if pruned:
            return min(wanted, self.info.n_blocks - 1)
        return None if wanted == self.n_states - 1 else wanted

    def _fit(self, prompt: TokenizedPrompt, kept: int) -> TokenizedPrompt:
        if len(prompt.tokens) + kept <= self.limit:
            return prompt
        if self.overflow == "truncate-middle":
            return prompt.truncated(self.limit - kept)
        what = "skipped: " if self.overflow == "skip" else ""
        room = f", {kept} of them for the feedback" if kept else ""
        raise PromptError(
            f"{what}the prompt has {len(prompt.tokens)} tokens, the context holds {self.limit}{room}",
            "use a larger -c where the model allows it, or --overflow truncate-middle",
        )

    def _votes(self, tasks: Sequence[_Task], progress: Callable[[Counts], None] | None) -> list[list[_Task]]:
        """What is read for every task: itself, or what lies behind each feedback that it gets."""
        reasoning = self.reasoning
        if reasoning is None:
            return [[task] for task in tasks]
        valid = [t for t in tasks if t.prompt is not None]
        written = write_feedback(
            self.backbone,
            [t.prompt.tokens for t in valid if t.prompt is not None],
            [t.rubric.lead for t in valid],
            reasoning,
            context=self._key,
            store=self.store,
            count=functools.partial(self._count, progress),
        )
        texts = iter(written)
        return [[task] if task.prompt is None else [self._vote(task, f.text) for f in next(texts)] for task in tasks]

    def _vote(self, task: _Task, feedback: str) -> _Task:
        labels = self.labels[task.rubric.name]
        prompt = behind(self.backbone, task.prompt, feedback, labels, self.reasoning)  # type: ignore[arg-type]
        return replace(task, prompt=prompt, key=reading_key(self._key, prompt.tokens, labels.ids), feedback=feedback)

    def _joined(self, votes: Sequence[_Task], readings: Mapping[bytes, Reading]) -> Reading:
        if self.reasoning is None:
            return readings[votes[0].key]
        return averaged([readings[v.key] for v in votes], [v.feedback for v in votes])

    def _stored(self, tasks: Sequence[_Task]) -> dict[bytes, Reading]:
        if self.store is None:
            return {}
        states = None if self.max_state is None else self.max_state + 1
        return self.store.get(list({t.key for t in tasks if t.prompt is not None}), states=states)

    def _evaluate(
        self, tasks: list[_Task], progress: Callable[[Counts], None] | None, counted: set[bytes]
    ) -> Iterator[Mapping[bytes, Reading]]:
        if not tasks:
            return
        parts = self.evaluator(
            [
                Pending(t.key, t.prompt.tokens, self.labels[t.rubric.name].ids, t.item.id)
                for t in tasks
                if t.prompt is not None
            ]
        )
        while True:
            # What was evaluated is stored before a signal ends the run.
            with signals_held():
                if (part := next(parts, None)) is None:
                    return
                if part.readings and self.store is not None:
                    rows = [(key, reading, self._key) for key, reading in part.readings.items()]
                    self.store.put(rows, whole=part.whole)
            self._count(progress, done=len(counted & part.readings.keys()), evaluated_tokens=part.evaluated)
            yield part.readings

    def _readings(self, pending: Sequence[Pending], group: Group) -> dict[bytes, Reading]:
        found = {}
        for row, index in enumerate(group.prompts):
            one = pending[index]
            raw, norm = layer_logits(group.states[row], self._head(one.labels), self.n_states)
            if not (np.isfinite(raw).all() and np.isfinite(norm).all()):
                raise UnsupportedModelError(
                    f"{self.info.paths[0].name} gives layer logits that are not finite for item {one.item!r}",
                    "the file may be damaged, or need -fa off",
                )
            mass = None if group.logits is None else label_mass(group.logits[row], list(one.labels))
            found[one.key] = Reading(raw=raw, norm=norm, mass=mass, tokens=len(one.tokens))
        return found

    def _context_for(self, longest: int) -> Context:
        if self._context is None or self._context.longest < longest:
            if self._context is not None:
                self._context.close()
                self._context = None
            # A little more than needed, so that a stream of slowly growing prompts does not start
            # a context per window.
            size = self.options.ctx_size or min(self.backbone.n_ctx_train, max(1024, longest * 5 // 4))
            self._context = self.backbone.context(size)
        return self._context

    def _count(self, progress: Callable[[Counts], None] | None, **more: int) -> None:
        now = self.counts
        self.counts = Counts(**{name: getattr(now, name) + more.get(name, 0) for name in now.__dataclass_fields__})
        if progress is not None:
            progress(self.counts)
