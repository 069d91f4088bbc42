"""One name, one thing; and no file or function that has grown out of hand."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "lager_lite"
TREES = {
    "/".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
MOST_LINES = 350
MOST_LINES_OF_A_FUNCTION = 60
MOST_POSITIONAL = 6
# What is still to be mended. Nothing may be added.
KNOWN_NAMES = {"NAME"}
KNOWN_LONG = {"fitting/fit fit"}


def public_names(tree: ast.Module) -> Iterator[str]:
    """The functions, classes and constants that a module defines, without those that begin with an underscore."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names = [node.name]
        elif isinstance(node, ast.Assign) and not makes_type_variable(node.value):
            names = [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


def makes_type_variable(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("TypeVar", "ParamSpec")
    )


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{module} {node.name}", node


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether click calls it: it then takes one parameter per option."""
    made = [d.func if isinstance(d, ast.Call) else d for d in function.decorator_list]
    return any(isinstance(d, ast.Attribute) and d.attr in ("command", "group") for d in made)


def test_a_public_name_stands_in_one_module() -> None:
    homes = defaultdict(list)
    for module, tree in TREES.items():
        # A room's face repeats names, and the commands' functions are named by click's rules.
        if not module.endswith("__init__") and not module.startswith("cli/commands/"):
            for name in set(public_names(tree)):
                homes[name].append(module)
    assert {name: found for name, found in homes.items() if len(found) > 1 and name not in KNOWN_NAMES} == {}


def test_no_file_is_long() -> None:
    lines = {module: (PACKAGE / f"{module}.py").read_text(encoding="utf-8").count("\n") for module in TREES}
    assert {module: count for module, count in lines.items() if count > MOST_LINES} == {}


def test_no_function_is_long() -> None:
    found = ((name, (f.end_lineno or f.lineno) - f.lineno + 1) for name, f in functions() if name not in KNOWN_LONG)
    assert [(name, count) for name, count in found if count > MOST_LINES_OF_A_FUNCTION] == []


def test_no_function_takes_many_positional_arguments() -> None:
    taken = []
    for name, function in functions():
        arguments = [a.arg for a in (*function.args.posonlyargs, *function.args.args) if a.arg not in ("self", "cls")]
        if len(arguments) > MOST_POSITIONAL and not is_command(function):
            taken.append((name, len(arguments)))
    assert taken == []
