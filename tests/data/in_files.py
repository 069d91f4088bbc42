"""Rows in small files, and items without their places."""

from __future__ import annotations

import json

import pytest

from lager_lite.data.items import read_items
from lager_lite.errors import DataError


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def error(*args, **kwargs):
    with pytest.raises(DataError) as caught:
        read_items(*args, **kwargs)
    return caught.value


def bare(items):
    return [(i.id, dict(i.fields), dict(i.human), i.group, i.rendered) for i in items]
