"""What makes a judge's readings besides their prompts, and which readings of the store the same made elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from ..data import counted
from ..errors import StoreWarning
from ..llama import Backbone, instructions
from .keys import Basis, context_key, reading_key
from .store import Store

UNNAMED = "by an earlier version, which did not note with which instructions"
_BY = "; computed by "
_ASKED = ("flash_attn", "cache_type_k", "cache_type_v", "unpack", "steady")
_PIECES = ("batch_size", "ubatch_size")
_UNPACKED = ("unpacked to bf16", "unpacked to f32")


def settings_of(backbone: Backbone) -> dict[str, str]:
    """Return the settings of llama.cpp that change layer logits, by name."""
    options, layers = backbone.options, backbone.gpu_layers
    steady = {"steady": f"{options.batch(layers)}, {options.ubatch(layers)}"} if options.steady else {}
    return {
        "flash_attn": options.flash_attn,
        "cache_type_k": options.cache_type_k,
        "cache_type_v": options.value_cache_type(layers),
        **steady,
    }


def basis_of(backbone: Backbone, fingerprint: str, n_states: int) -> Basis:
    """Return what makes the readings of a backbone; n_states: the states of the whole model."""
    words, options = instructions(backbone.library), backbone.options
    model = {"model": fingerprint, "states": n_states}
    facts = {**model, "device": backbone.place, **settings_of(backbone)}
    # Where the blocks lie, and what follows from that, may differ from run to run of one command.
    asked = {name: getattr(options, name) for name in (*_ASKED, *(_PIECES if options.steady else ()))}
    return Basis(
        key=context_key(**facts, version=backbone.numerics, instructions=words),
        others=context_key(**model, **asked, version=backbone.library.numerics),
        earlier=tuple(context_key(**facts, version=version) for version in _anywhere(backbone.numerics)),
        instructions=words,
        library=backbone.numerics,
        device=backbone.place,
        noted=words + _way(backbone),
    )


def _way(backbone: Backbone) -> str:
    """What a basis of a GPU notes besides the instructions; "" for a CPU."""
    if not backbone.gpu_layers:
        return ""
    way = f"a copy in {backbone.copied}" if backbone.copied else "the file as it is"
    return f"{_BY}{backbone.place} from {way}"


def _anywhere(numerics: str) -> list[str]:
    """What a library's numerics were on processors that unpack to each type; this one's first."""
    here = next((name for name in _UNPACKED if name in numerics), None)
    return [numerics, *(numerics.replace(here, name) for name in _UNPACKED if here and name != here)]


def _how(found: Sequence[str], basis: Basis) -> str:
    """How readings were computed and how they are here, in words with a parenthesis; "" in `found` for what was not noted."""
    named = [words for words in found if words]
    if not named:
        return f"{UNNAMED} of a processor (they may be this one's; here {basis.instructions})"
    some = ["some by an earlier version, which did not note with which"] if len(named) < len(found) else []
    if not any(_BY in words for words in (*named, basis.noted)):
        return f"with other instructions of a processor ({'; '.join([*named, *some])}; here {basis.instructions})"
    short = [_short(words, basis.instructions) for words in (*named, basis.noted)]
    return f"in another way ({'; '.join([*short[:-1], *some])}; here {short[-1]})"


def _short(noted: str, instructions: str) -> str:
    """What a basis notes, without the instructions where they are this processor's."""
    words, _, by = noted.partition(_BY)
    by = by or "the CPU"
    return by if words == instructions else f"{by}, {words}"


def tell_of_others(store: Store, basis: Basis, missing: Iterable[tuple[np.ndarray, Sequence[int]]]) -> bool:
    """Warn where the store holds readings of these prompts that were made in another way; return whether it does.

    missing: the tokens (n,) and the score tokens of each prompt that the store lacks for `basis`.
    """
    prompts, count, found = list(missing), 0, set()
    for key, words in store.others(basis).items():
        if here := store.count({reading_key(key, tokens, labels) for tokens, labels in prompts}):
            count += here
            found.add(words)
    if count:
        # A GPU's own products of quantized weights moved scores by half a point.
        much = "" if any(_BY in words for words in (*found, basis.noted)) else "a little "
        warnings.warn(
            f"the store holds {counted(count, 'reading')} of the next {counted(len(prompts), 'prompt')} that "
            f"{'was' if count == 1 else 'were'} computed {_how(sorted(found), basis)}. They may differ {much}from this run's, so they "
            "are left in the store, and the prompts are evaluated anew",
            StoreWarning,
            stacklevel=2,
        )
    return bool(count)
