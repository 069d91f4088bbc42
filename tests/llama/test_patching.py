"""Patches are applied exactly or not at all."""

from __future__ import annotations

import pytest

from lager_lite.llama.patching import PatchError, apply_series, parse_patch

OLD = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
FIRST = """A change of two places.

--- a/src/x.cpp
+++ b/src/x.cpp
@@ -1,3 +1,4 @@
 one
-two
+TWO
+two and a half
 three
@@ -6,2 +7,1 @@ void six() {
 six
-seven
--- /dev/null
+++ b/src/new/y.h
@@ -0,0 +1,2 @@
+#pragma once
+--- no header
"""
SECOND = """--- a/src/x.cpp
+++ b/src/x.cpp
@@ -2 +2 @@
-TWO
+2
"""


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "x.cpp").write_text(OLD)
    return folder


@pytest.fixture
def series(tmp_path):
    for name, text in (("0001-first.patch", FIRST), ("0002-second.patch", SECOND)):
        (tmp_path / name).write_text(text)
    return [tmp_path / "0001-first.patch", tmp_path / "0002-second.patch"]


def test_patches_change_and_create_files_one_after_another(source, series):
    assert apply_series(source, series) == ["src/x.cpp", "src/new/y.h"]
    assert (source / "src" / "x.cpp").read_text() == "one\n2\ntwo and a half\nthree\nfour\nfive\nsix\n"
    assert (source / "src" / "new" / "y.h").read_text() == "#pragma once\n--- no header\n"


def test_a_hunk_that_no_longer_applies_is_named(source, series):
    (source / "src" / "x.cpp").write_text(OLD.replace("seven", "SEVEN"))
    with pytest.raises(PatchError) as caught:
        apply_series(source, series)
    assert caught.value.message == (
        "0001-first.patch does not apply: src/x.cpp: hunk @@ -6,2 +7,1 @@ void six() {: line 7 is 'SEVEN', expected 'seven'"
    )
    assert caught.value.hint == "the source is not the one that the patches were made for"
    assert (source / "src" / "x.cpp").read_text() == OLD.replace("seven", "SEVEN"), (
        "nothing of the patch may be applied"
    )


def test_a_hunk_is_not_looked_for_elsewhere(source, series):
    (source / "src" / "x.cpp").write_text("zero\n" + OLD)
    with pytest.raises(PatchError, match="line 1 is 'zero', expected 'one'"):
        apply_series(source, series)


def test_a_series_in_another_order_does_not_apply(source, series):
    with pytest.raises(
        PatchError, match=r"0002-second.patch does not apply: src/x.cpp: hunk @@ -2 \+2 @@: line 2 is 'two'"
    ):
        apply_series(source, series[::-1])


def test_a_patch_is_not_applied_twice(source, series):
    apply_series(source, series)
    with pytest.raises(PatchError, match="0001-first.patch does not apply: src/x.cpp: hunk"):
        apply_series(source, series)


def test_a_file_to_create_must_not_be_there_and_one_to_change_must(source, series):
    (source / "src" / "new").mkdir()
    (source / "src" / "new" / "y.h").write_text("")
    with pytest.raises(PatchError, match=r"src/new/y.h: hunk @@ -0,0 \+1,2 @@: the file exists already"):
        apply_series(source, series)
    (source / "src" / "x.cpp").unlink()
    with pytest.raises(PatchError, match=r"src/x.cpp: hunk @@ -1,3 \+1,4 @@: the file is not there"):
        apply_series(source, series)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no patch at all\n", "p changes no file"),
        ("--- a/x\n+++ b/x\n", "p: no hunk for x"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n", "hunk @@ -1 +1 @@ is damaged: it has 1 old and 0 new lines"),
        ("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n*b\n", "is damaged: it has 1 old and 1 new lines"),
        ("--- a/x\n+++ b/x\n@@ nonsense\n-a\n", "'@@ nonsense' is no hunk header"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n", "ends without a line end"),
        ("--- a/x\n+++ b/../../etc/x\n@@ -1 +1 @@\n-a\n+b\n", "names no file below the patched folder"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+c\n", "line 6: expected a hunk or a file, found '+c'"),
    ],
    ids=str,
)
def test_a_damaged_patch_is_refused(text, message):
    with pytest.raises(PatchError) as caught:
        parse_patch("p", text)
    assert message in caught.value.message
