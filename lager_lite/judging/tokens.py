"""Prompts as tokens: trusted text may contain control tokens, untrusted text never does."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import Advice, PromptError
from ..llama import Backbone
from ..prompts import LETTERS, describe_scale, parse_scale, scale_for
from ..records import Prompt, Scale

# As many labels are named in a message.
_NAMED = 5


@dataclass(frozen=True)
class ScoreTokens:
    """The score tokens of a scale after a lead.

    - `lead`: the tokens of the lead.
    - `ids`: the K score tokens, in the order of the scale.
    """

    lead: tuple[int, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class TokenizedPrompt:
    """A prompt in tokens.

    - `tokens`: int32 (n,); the last one is at the judging position.
    - `untrusted`: bool (n,), whether each token comes from an item.
    """

    tokens: np.ndarray
    untrusted: np.ndarray

    def followed_by(self, tokens: Sequence[int], *, untrusted: bool) -> TokenizedPrompt:
        """Return the prompt with more tokens after it."""
        more = np.full(len(tokens), untrusted)
        return TokenizedPrompt(
            np.concatenate([self.tokens, np.array(tokens, np.int32)]), np.concatenate([self.untrusted, more])
        )

    def truncated(self, limit: int) -> TokenizedPrompt:
        """Return the prompt with at most `limit` tokens, cutting the middle out of its longest untrusted part.

        Raises PromptError where the prompt is too long even without that part.
        """
        excess = len(self.tokens) - limit
        edges = np.flatnonzero(np.diff(np.concatenate(([False], self.untrusted, [False])).astype(np.int8)))
        starts, stops = edges[::2], edges[1::2]
        longest = int(np.argmax(stops - starts)) if len(starts) else 0
        if excess > 0 and (not len(starts) or stops[longest] - starts[longest] <= excess):
            raise PromptError(
                f"the prompt has {len(self.tokens)} tokens, the context holds {limit}, and cutting its longest text is not enough",
                Advice(
                    "use a larger -c where the model allows it",
                    "use a larger ctx_size where the model allows it",
                    request="send a shorter text, or start the server with a larger -c",
                ),
            )
        if excess <= 0:
            return self
        middle = int(starts[longest] + (stops[longest] - starts[longest] - excess) // 2)
        keep = np.r_[0:middle, middle + excess : len(self.tokens)]
        return TokenizedPrompt(self.tokens[keep], self.untrusted[keep])


class Tokenizer(Protocol):
    """What turns a piece of text into token ids; see `Backbone.tokenize` for the arguments.

    - `adds_bos`: the token that the model wants before every text. None: it wants none.
    """

    @property
    def adds_bos(self) -> int | None: ...

    def tokenize(self, text: str, *, parse_special: bool, start: bool = False) -> Sequence[int] | np.ndarray: ...


class KnownTexts:
    """A backbone's tokenizer that remembers what it was given, since many prompts hold the same texts.

    Items of one article and rubrics with one template repeat most of their text; tokenizing each text once gives
    the same tokens in a fraction of the time. The texts that were used longest ago are forgotten first.

    - `most`: the most characters of text that are remembered.
    """

    def __init__(self, backbone: Backbone, most: int = 2**24) -> None:
        self._backbone = backbone
        self._left = most
        self._known: OrderedDict[tuple[str, bool, bool], np.ndarray] = OrderedDict()

    @property
    def adds_bos(self) -> int | None:
        """The token that the model wants before every text; None where it wants none."""
        return self._backbone.adds_bos

    def tokenize(self, text: str, *, parse_special: bool, start: bool = False) -> np.ndarray:
        """Return the token ids of a text, int32 (n,), which must not be changed."""
        key = (text, parse_special, start)
        found = self._known.get(key)
        if found is None:
            found = np.array(self._backbone.tokenize(text, parse_special=parse_special, start=start), dtype=np.int32)
            found.flags.writeable = False
            self._known[key] = found
            self._left -= len(text)
            while self._left < 0:
                (old, _, _), _ = self._known.popitem(last=False)
                self._left += len(old)
        else:
            self._known.move_to_end(key)
        return found


def tokenize_prompt(tokenizer: Tokenizer, prompt: Prompt, lead: tuple[int, ...]) -> TokenizedPrompt:
    """Tokenize a prompt segment by segment, untrusted text without control tokens, and append the lead.

    A BOS token is put in front where the model wants one and the template does not contain it.
    """
    parts: list[np.ndarray] = []
    trusted: list[bool] = []
    for segment in prompt.segments:
        part = tokenizer.tokenize(segment.text, parse_special=segment.trusted, start=not parts)
        if len(part):
            parts.append(np.asarray(part, dtype=np.int32))
            trusted.append(segment.trusted)
    bos = tokenizer.adds_bos
    if bos is not None and (not parts or not trusted[0] or parts[0][0] != bos):
        parts.insert(0, np.array([bos], dtype=np.int32))
        trusted.insert(0, True)
    parts.append(np.array(lead, dtype=np.int32))
    trusted.append(True)
    untrusted = np.repeat(~np.array(trusted), [len(part) for part in parts])
    return TokenizedPrompt(np.concatenate(parts), untrusted)


def score_tokens(backbone: Backbone, lead: str, scale: Scale) -> ScoreTokens:
    """Find the score tokens by tokenizing lead + label, as the model would write them.

    The tokens that all of them begin with are the lead. The token that follows is the score token: a label of several
    tokens is known by the first one of its own, since the model writes it with no other beginning. Raises PromptError
    where two labels share it, which names them and a scale that would work.
    """
    tokens, common, clash = _following(backbone, lead, scale.labels)
    if clash:
        named = ", ".join(map(repr, clash[:_NAMED])) + (f" and {len(clash) - _NAMED} more" if clash[_NAMED:] else "")
        raise PromptError(
            f"the scale {describe_scale(scale)} cannot be used: behind {lead!r} these labels begin with the same token "
            f"of the model {backbone.path.name}: {named}",
            _other_scales(backbone, lead, scale),
        )
    return ScoreTokens(common, tokens)


def clashing(backbone: Backbone, lead: str, labels: Sequence[str]) -> list[str]:
    """The labels that cannot be told apart behind a lead: they go on with the same token, or one ends there."""
    return _following(backbone, lead, labels)[2]


def _following(
    backbone: Backbone, lead: str, labels: Sequence[str]
) -> tuple[tuple[int, ...], tuple[int, ...], list[str]]:
    """The token of each label that follows what all begin with, these common tokens, and the labels that clash."""
    written = [backbone.tokenize(lead + label, parse_special=False) for label in labels]
    common = 0
    while all(len(w) > common for w in written) and len({w[common] for w in written}) == 1:
        common += 1
    found = [w[common] if len(w) > common else -1 for w in written]
    # All others begin with a label that ends where they go on.
    clash = [label for label, token in zip(labels, found) if -1 in found or found.count(token) > 1]
    return tuple(found), tuple(written[0][:common]), clash


def _other_scales(backbone: Backbone, lead: str, scale: Scale) -> str | Advice:
    """What to use in place of a scale whose labels clash: the scales that this model can write."""
    k = len(scale.labels)
    names = ["0-9", "1-5"] if k > 5 else ["1-5"]
    if scale.values == tuple(range(1, k + 1)) and k <= len(LETTERS):
        names.insert(0, f"A-{LETTERS[k - 1]}")
    usable = [name for name in names if not _following(backbone, lead, parse_scale(name).labels)[2]]
    if not all(label.isdigit() for label in scale.labels) or not usable:
        return f"use labels that begin differently{', for instance the scale ' + usable[-1] if usable else ''}"
    told = [name + (f" (A is worth {k})" if name[0] == "A" else "") for name in usable]
    why = "scores are continuous on every scale"
    same = "" if usable[0][0] == "A" else scale_for(scale.values[0], scale.values[-1])
    kept = f"{same} keeps the range of this one" if same else ""
    return Advice(
        f"--scale {' or --scale '.join(told)}: {why}{f'; --scale {kept}' if kept else ''}",
        f"use the scale {' or '.join(told)}: {why}{f'; {kept}' if kept else ''}",
    )
