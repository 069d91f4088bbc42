from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lager_lite.errors import WeightsError
from lager_lite.records import Calibration, LayerWeights, Scale
from lager_lite.scoring.belonging import check_weights
from lager_lite.scoring.weights import Provenance, WeightsFile, load_weights, save_weights

SCALE = Scale(("1", "2"), (1.0, 2.0))
THEN = Provenance(
    "sha256:aa", "llama", "Q4_1", 3, SCALE, {"r": "h"}, {"flash_attn": "auto"}, {"items": 9}, "2026-01-01"
)


def file():
    calibration = Calibration("isotonic", np.array([1.2, 1.6]), np.array([1.0, 2.0]))
    weights = LayerWeights("full", "norm", np.arange(6.0).reshape(3, 2), np.array([0.5, -0.5]), "logits", calibration)
    return WeightsFile(weights, THEN)


def test_a_weights_file_comes_back_as_it_was_saved(tmp_path):
    save_weights(tmp_path / "w.json", file())
    got = load_weights(tmp_path / "w.json")
    assert got.provenance == THEN
    np.testing.assert_array_equal(got.weights.weights, file().weights.weights)
    np.testing.assert_array_equal(got.weights.bias, [0.5, -0.5])
    np.testing.assert_array_equal(got.weights.calibration.y, [1.0, 2.0])
    assert [p.name for p in tmp_path.iterdir()] == ["w.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [[1, 2], [3, 4]], "kind": "signed"}, r"is corrupt: ValueError\('weights of shape \(2, 2\)"),
        ({"weights": [1, 2, float("nan")], "kind": "signed", "bias": None}, "a number is not finite"),
        ({"lens": "blurred"}, "lens 'blurred'"),
        ({"version": 7}, "has version 7, this program knows 2"),
        ({"schema": "x"}, "is not a weights file of lager-lite"),
        ({"backbone": None}, "is corrupt: TypeError"),
        ({"calibration": {"kind": "isotonic", "x": [2, 1], "y": [1, 2]}}, "knots do not ascend"),
    ],
)
def test_a_corrupt_file_is_one_clear_error(tmp_path, change, message):
    save_weights(tmp_path / "w.json", file())
    data = json.loads((tmp_path / "w.json").read_text())
    (tmp_path / "w.json").write_text(json.dumps({**data, **change}))
    with pytest.raises(WeightsError, match=message):
        load_weights(tmp_path / "w.json")


def test_a_cut_or_missing_file_is_an_error(tmp_path):
    (tmp_path / "w.json").write_text('{"schema": "lager')
    with pytest.raises(WeightsError, match="is not JSON: Unterminated string"):
        load_weights(tmp_path / "w.json")
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        load_weights(tmp_path / "none.json")


def test_weights_of_another_backbone_are_refused_by_name_unless_forced():
    now = replace(THEN, fingerprint="sha256:bb", rubrics={"r": "other", "s": "h"})
    with pytest.raises(
        WeightsError, match="fitted for another backbone .llama Q4_1, sha256:aa.*the rubric 'r' has changed"
    ):
        check_weights(file(), now)
    assert len(check_weights(file(), now, force=True)) == 3


@pytest.mark.parametrize(
    ("then", "now", "one", "other"),
    [
        ("x86_64: AVX512, FMA", "x86_64: AVX2, FMA, LLAMAFILE", "AVX512", "AVX2"),
        ("x86_64: AVX512, FMA", "x86_64: AVX512, AVX512_VNNI, FMA", "AVX512 alone", "AVX512_VNNI"),
        ("x86_64: FMA", "x86_64: AVX, FMA", "no vectors", "AVX"),
        ("x86_64: AVX2", "aarch64: NEON", "x86_64", "aarch64"),
    ],
)
def test_weights_of_other_instructions_are_used_with_a_warning_that_says_what_was_measured(then, now, one, other):
    """What a library unpacks to follows from the processor, so that the library's difference is not what is told."""
    fitted = replace(file(), provenance=replace(THEN, settings={"instructions": then, "library": "unpacks to bf16"}))
    (warning,) = check_weights(fitted, replace(THEN, settings={"instructions": now, "library": "unpacks to f32"}))
    assert warning.startswith(f"the weights were fitted with {one}, and this processor computes with {other}: ")
    assert (
        "kind states moved by up to 0.16 points (median 0.03) in one measurement, and e_score by up to 0.02" in warning
    )


def test_weights_of_another_library_and_older_files_are_used():
    fitted = replace(file(), provenance=replace(THEN, settings={"library": "1"}))
    (one,) = check_weights(fitted, replace(THEN, settings={"library": "2"}))
    assert one == "library was 1 when the weights were fitted, is 2; scores may differ a little"
    known = replace(THEN, settings={"instructions": "x86_64: AVX2"})
    assert check_weights(replace(file(), provenance=replace(THEN, settings={})), known) == []


def test_weights_of_another_device_are_used_with_a_warning_that_says_what_was_measured():
    cpu = {"device": "CPU", "cache_type_v": "bf16", "library": "unpacks", "instructions": "x86_64: AVX2"}
    fitted = replace(file(), provenance=replace(THEN, settings=cpu))
    gpu = {"device": "NVIDIA H200", "cache_type_v": "f16", "library": "reads a copy", "instructions": "x86_64: AVX512"}
    now = replace(THEN, settings=gpu)
    (warning,) = check_weights(fitted, now)  # one, though the library and the instructions differ as well
    assert warning.startswith(
        "device was CPU when the weights were fitted, is NVIDIA H200; scores by fitted weights moved"
    )
    apple = replace(THEN, settings={**gpu, "device": "Apple M2"})  # it is not told what an H200 does
    for then, run in ((cpu, apple), (gpu, apple), ({**gpu, "device": "NVIDIA T4"}, now)):
        (warning,) = check_weights(replace(file(), provenance=replace(THEN, settings=then)), run)
        assert warning.endswith("; how far scores move between these two was not measured")
    with pytest.raises(WeightsError, match="cache_type_v was bf16, is f16"):
        check_weights(fitted, replace(THEN, settings={**cpu, "cache_type_v": "f16"}))


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (None, "256, 256", "without steady=True, and this run is with it"),
        ("256, 256", None, "with steady=True, and this run is without it"),
        ("256, 256", "64, 64", "with steady=True in pieces of another size"),
        ("256, 256", "256, 256", None),
    ],
)
def test_weights_fitted_with_another_steadiness_are_used_with_a_warning(then, now, said):
    fit, run = ({} if value is None else {"steady": value} for value in (then, now))
    told = check_weights(replace(file(), provenance=replace(THEN, settings=fit)), replace(THEN, settings=run))
    assert [said in text for text in told] == ([] if said is None else [True])
    assert "None" not in "".join(told) and "256" not in "".join(told)


def test_weights_of_another_size_or_scale_cannot_be_forced():
    now = replace(THEN, n_states=31, scale=Scale(("0", "1"), (0.0, 1.0)))
    with pytest.raises(WeightsError, match="a model of 3 states, this one has 31; fitted for the labels"):
        check_weights(file(), now, force=True)


def test_a_file_of_version_1_is_still_read(tmp_path):
    save_weights(tmp_path / "w.json", file())
    data = json.loads((tmp_path / "w.json").read_text())
    del data["limits"]
    (tmp_path / "w.json").write_text(json.dumps({**data, "version": 1}))
    got = load_weights(tmp_path / "w.json")
    assert got.weights.limits is None and got.weights.weights.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("kind", "lens", "shape", "bias", "limits"),
    [
        ("full", "both", (3, 4), 2, (2, 3, 4)),
        ("states", "norm", (3, 8), 3, None),
        ("signed", "raw", (2,), 2, (2, 2, 2)),
    ],
)
def test_every_kind_of_numbers_comes_back(tmp_path, kind, lens, shape, bias, limits):
    rng = np.random.default_rng(0)
    bounds = None if limits is None else rng.normal(size=limits)
    weights = LayerWeights(kind, lens, rng.normal(size=shape), rng.normal(size=bias), limits=bounds)
    save_weights(tmp_path / "w.json", WeightsFile(weights, THEN))
    got = load_weights(tmp_path / "w.json").weights
    np.testing.assert_allclose(got.weights, weights.weights, rtol=1e-7)  # states are kept as float32
    np.testing.assert_array_equal(got.bias, weights.bias)
    assert limits is None or (got.limits == bounds).all()
