"""Imports point one way: a room imports from rooms of a lower level only, a folder in it from those before it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lager_lite"
LEVEL = {
    "": 0,
    "stats": 0,
    "system": 1,
    "prompts": 1,
    "data": 2,
    "scoring": 2,
    "backbones": 2,
    "llama": 3,
    "judging": 4,
    "fitting": 5,
    "performance": 5,
    "scaleout": 5,
    "evaluation": 6,
    "tasks": 6,
    "report": 7,
    # Other programs ask for scores, pairs and whatever else is made of judgments, so it stands above all that.
    "adapters": 7,
    "cli": 8,
}
# The folders inside a room, in the order in which they may use each other; "" is the room's own files.
ORDER_INSIDE = {
    "data": ("keys", "files", "checks", "layouts", ""),
    "cli": ("", "show", "options", "commands"),
}
# Where an import inside a function keeps something heavy from being loaded before it is needed.
MAY_IMPORT_LATE = ("cli", "report", "scaleout")
FILES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in FILES} - {PACKAGE})


def parts_of(path: Path) -> tuple[str, ...]:
    return path.relative_to(PACKAGE).with_suffix("").parts


def room_of(path: Path) -> str:
    """The room of a file, "" for the files that stand directly in the package."""
    parts = parts_of(path)
    return parts[0] if len(parts) > 1 else ""


def folder_of(path: Path) -> str:
    """The folder of a file inside its room, "" for the files that stand directly in the room."""
    parts = parts_of(path)
    return parts[1] if len(parts) > 2 else ""


def imports_of_ours(path: Path) -> list[tuple[ast.ImportFrom, tuple[str, ...]]]:
    """Every import of a module of ours, with the module's place in the package, ("judging", "store") for instance."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            home = parts_of(path)[: -node.level]
            found.append((node, home + tuple((node.module or "").split(".") if node.module else ())))
    return found


def folders_named(node: ast.ImportFrom, target: tuple[str, ...], room: str) -> set[str]:
    """The folders of a room that an import of ours names, "" among them for the room's own files and for its face."""
    if not room or target[:1] != (room,):
        return set()
    return {name if name in ORDER_INSIDE.get(room, ()) else "" for name in target[1:2] or (a.name for a in node.names)}


def test_every_folder_is_a_room_with_a_level() -> None:
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert rooms == {room for room in LEVEL if room}


def test_every_folder_inside_a_room_has_its_place() -> None:
    inside = {room_of(path): set[str]() for path in FILES}
    for path in FILES:
        inside[room_of(path)].add(folder_of(path))
    assert {room: folders for room, folders in inside.items() if folders != {""}} == {
        room: set(order) for room, order in ORDER_INSIDE.items()
    }


def test_few_entries_stand_directly_in_the_package() -> None:
    entries = [p.name for p in PACKAGE.iterdir() if p.name != "__pycache__"]
    assert len(entries) <= 23, entries


@pytest.mark.parametrize("path", FILES, ids=["/".join(parts_of(p)) for p in FILES])
def test_a_room_imports_only_from_rooms_below_it(path: Path) -> None:
    me = room_of(path)
    if path.name in ("__init__.py", "__main__.py") and not me:
        return  # the front door names rooms, and loads them when they are asked for
    for node, target in imports_of_ours(path):
        other = target[0] if target and target[0] in LEVEL else ""
        if other != me:
            assert LEVEL[other] < LEVEL[me] or other == "", f"line {node.lineno}: {me} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=["/".join(parts_of(p)) for p in FILES])
def test_a_folder_of_a_room_imports_only_from_those_before_it(path: Path) -> None:
    room, me = room_of(path), folder_of(path)
    if path == PACKAGE / room / "__init__.py":
        return  # the room's face names what its folders hold
    order = ORDER_INSIDE.get(room, ("",))
    for node, target in imports_of_ours(path):
        for other in folders_named(node, target, room) - {me}:
            assert order.index(other) < order.index(me), f"line {node.lineno}: {room}/{me} imports {room}/{other}"


@pytest.mark.parametrize("path", FILES, ids=["/".join(parts_of(p)) for p in FILES])
def test_a_room_is_used_by_its_face(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        return  # names a defining file for type checkers, where a module has its function's name
    for node, target in imports_of_ours(path):
        crosses = len(target) > 1 and target[0] in LEVEL and target[0] != room_of(path)
        assert not crosses, f"line {node.lineno}: import from {target[0]}, not from {'.'.join(target)}"


@pytest.mark.parametrize("path", FILES, ids=["/".join(parts_of(p)) for p in FILES])
def test_a_folder_of_a_room_is_used_by_its_face(path: Path) -> None:
    room, me = room_of(path), folder_of(path)
    if room == "cli":
        return  # its folders have no faces, so that a command loads only what it needs
    for node, target in imports_of_ours(path):
        crosses = len(target) > 2 and target[0] == room and target[1] != me
        assert not crosses, f"line {node.lineno}: import from {target[1]}, not from {'.'.join(target[1:])}"


@pytest.mark.parametrize("path", FILES, ids=["/".join(parts_of(p)) for p in FILES])
def test_nothing_of_ours_is_imported_inside_a_function(path: Path) -> None:
    if room_of(path) in MAY_IMPORT_LATE:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inside = [n for f in functions for n in ast.walk(f) if isinstance(n, ast.ImportFrom) and n.level]
    assert not inside, f"line {inside[0].lineno}" if inside else ""


def cycle_among(edges: dict[str, set[str]]) -> list[str]:
    """The files of one room that import each other in a circle, empty where there are none."""
    left = dict(edges)
    while True:
        free = [name for name, uses in left.items() if not uses & set(left)]
        if not free:
            return sorted(left)
        for name in free:
            del left[name]


@pytest.mark.parametrize("folder", FOLDERS, ids=["/".join(folder.relative_to(PACKAGE).parts) for folder in FOLDERS])
def test_files_of_a_folder_import_each_other_one_way(folder: Path) -> None:
    place = folder.relative_to(PACKAGE).parts
    edges: dict[str, set[str]] = {}
    for path in folder.glob("*.py"):
        if path.name != "__init__.py":
            inside = [(n, t[len(place) :]) for n, t in imports_of_ours(path) if t[: len(place)] == place]
            edges[path.stem] = {name for n, t in inside for name in (t[:1] or [a.name for a in n.names])}
    assert cycle_among(edges) == []


def test_ctypes_is_touched_in_llama_only() -> None:
    touching = {room_of(p) for p in FILES if "import ctypes" in p.read_text(encoding="utf-8")}
    assert touching == {"llama"}


@pytest.mark.parametrize("code", ["import lager_lite", "import lager_lite.cli"])
def test_importing_loads_no_library(code: str) -> None:
    heavy = ["numpy", "scipy", "llama_cpp", "matplotlib", "torch", "ray", "pyarrow", "gguf"]
    probe = f"{code}, sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_command_starts_with_what_takes_long_to_load() -> None:
    late = ["scipy.linalg", "scipy.optimize", "scipy.sparse", "scipy.special", "scipy.stats", "llama_cpp"]
    late += ["matplotlib", "torch", "ray", "pandas", "pyarrow"]
    probe = (
        "import sys; from importlib import import_module; from lager_lite.cli import COMMANDS; "
        "[import_module(f'lager_lite.cli.commands.{file}') for file, _ in COMMANDS.values()]; "
        f"print([m for m in {late!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_score_starts_without_the_rooms_that_it_does_not_use() -> None:
    rooms = [f"lager_lite.{room}" for room in ("fitting", "evaluation", "tasks", "performance", "report", "adapters")]
    probe = f"import sys, lager_lite.cli.commands.score; print([m for m in {rooms!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
