"""Whether fitted weights belong to a run: what refuses them, and what is only said."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Advice, WeightsError
from .weights import Provenance, WeightsFile

# Settings that files of version 1 do not have, and those whose difference is no reason to refuse weights.
_LATER = frozenset({"chat", "device", "instructions", "library"})
_STEADY = "steady"
# Told in this order, and only the first that differs: what follows in it may follow from what stands before it.
_NOTED = ("device", "instructions", "library", _STEADY)
_NVIDIA = (
    "scores by fitted weights moved by up to 0.15 points between a CPU and an H200 and agreed with people as well, "
    "but with the file's own products by up to 1.1, and agreement fell by 0.12"
)
_INSTRUCTIONS = (
    "between AVX512 and AVX2, scores by weights of kind states moved by up to 0.16 points (median 0.03) in one "
    "measurement, and e_score by up to 0.02"
)
_WIDTHS = ("AVX512", "AVX2", "AVX", "SVE", "NEON")
# What follows from the device where the user did not choose it.
_OF_DEVICE = frozenset({"cache_type_v"})


def differences(file: WeightsFile, now: Provenance) -> tuple[list[str], list[str]]:
    """What differs between the weights' provenance and this run, in words: (fatal, bearable).

    Under a fatal difference the weights cannot be applied or have no meaning. Under a bearable one they may
    still be useful, and `--force` accepts them.
    """
    then = file.provenance
    fatal, bearable = [], []
    if then.n_states != now.n_states:
        fatal.append(f"fitted for a model of {then.n_states} states, this one has {now.n_states}")
    if then.scale.labels != now.scale.labels or then.scale.values != now.scale.values:
        of_pairs = " to compare two responses" if "pairs" in then.fit else ""
        labels = [", ".join(one.scale.labels) for one in (then, now)]
        fatal.append(f"fitted{of_pairs} for the labels {labels[0]}; this rubric has {labels[1]}")
    if then.fingerprint != now.fingerprint:
        bearable.append(
            f"fitted for another backbone ({then.architecture} {then.quantization}, {then.fingerprint[:19]}), "
            f"this is {now.architecture} {now.quantization}, {now.fingerprint[:19]}"
        )
    for name, digest in now.rubrics.items():
        if name not in then.rubrics:
            bearable.append(
                f"fitted for the rubric{'s' * (len(then.rubrics) > 1)} {', '.join(sorted(then.rubrics))}, not for {name!r}"
            )
        elif then.rubrics[name] != digest:
            bearable.append(f"the rubric {name!r} has changed since the fit")
    for key in sorted(set(then.settings) | set(now.settings)):
        # Files of version 1 do not say which chat template they were fitted with.
        unknown = key in _LATER and key not in then.settings
        noted = {*_NOTED, *(_OF_DEVICE if _other_device(then.settings, now.settings) else ())}
        if not unknown and key not in noted and then.settings.get(key) != now.settings.get(key):
            bearable.append(f"{key} was {then.settings.get(key)}, is {now.settings.get(key)}")
    return fatal, bearable


def _other_device(then: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return "device" in then and "device" in now and then["device"] != now["device"]


def check_weights(file: WeightsFile, now: Provenance, *, force: bool = False) -> list[str]:
    """Raise WeightsError where the weights were fitted for something other than this run.

    force: accept bearable differences, and return them as warnings. Another library, processor or device, and
    `BackendOptions.steady`, are always a warning only.
    """
    fatal, bearable = differences(file, now)
    if fatal:
        raise WeightsError("the weights cannot be used: " + "; ".join(fatal), "fit again for this model and rubric")
    if bearable and not force:
        raise WeightsError(
            "the weights do not belong to this run: " + "; ".join(bearable),
            Advice("fit again, or use --force", "fit again, or use force=True"),
        )
    return bearable + _noted(file.provenance.settings, now.settings)


def _noted(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The first difference that weights are used in spite of, in words."""
    known = [key for key in _NOTED if key == _STEADY or (key in then and key in now)]
    key = next((key for key in known if then.get(key) != now.get(key)), None)
    if key is None:
        return []
    if key == _STEADY:
        return [_say_steady(then, now)]
    was, is_now = then[key], now[key]
    if key == "instructions":
        one, other = _vectors(was, is_now), _vectors(is_now, was)
        return [f"the weights were fitted with {one}, and this processor computes with {other}: {_INSTRUCTIONS}"]
    means = "scores may differ a little"
    if key == "device":
        with_nvidia = "CPU" in (was, is_now) and "NVIDIA" in was + is_now
        means = _NVIDIA if with_nvidia else "how far scores move between these two was not measured"
    return [f"{key} was {was} when the weights were fitted, is {is_now}; {means}"]


def _vectors(words: str, others: str) -> str:
    """What tells a processor's instructions from others', as short as can be: "AVX512"."""
    (family, own), (other_family, other) = (_features(text) for text in (words, others))
    if family != other_family:
        return family
    width, other_width = (next((name for name in _WIDTHS if name in found), "") for found in (own, other))
    if width != other_width:
        return width or "no vectors"
    return ", ".join(name for name in own if name not in other) or f"{width or family} alone"


def _features(words: str) -> tuple[str, list[str]]:
    family, _, listed = words.partition(": ")
    return family, listed.split(", ")


def _say_steady(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What is said where only the fit, only this run, or both with other pieces, evaluated every prompt apart."""
    way = Advice("--steady", "steady=True")
    if _STEADY in then and _STEADY in now:
        how = f"with {way} in pieces of another size than this run's"
    else:
        how = f"{'with' if _STEADY in then else 'without'} {way}, and this run is {'with' if _STEADY in now else 'without'} it"
    return f"the weights were fitted {how}; scores may differ as between two batch sizes, by some hundredths of a point"
