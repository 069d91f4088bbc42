"""A rubric of one's own to begin with: every key, with what it is for."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import PromptError

# Lines that begin with "#" and no blank are keys to switch on by taking the "#" away.
_TEXT = """\
# A rubric for lager-lite: what is judged, on which scale, and how the question is put.
# See what a model will read:   lager-lite prompt ITEMS -r {file}
# Score with it:                lager-lite score ITEMS -r {file}
# Lines that begin with # and no blank are keys that may be switched on.

name = "{name}"
about = "one line for lists"

# The question. One thing only; give several rubrics (-r a.toml -r b.toml) for several things.
criterion = \"\"\"
Conciseness: does the response say what is needed in few words, without repeating itself?\"\"\"

# "1-5", "0-4", "A-E" (worst first), a list of labels, worst first, or a table of labels and their values,
# such as {{ no = 0, partly = 1, yes = 3 }}. Every label must be one token of the model.
scale = "1-5"

# Fields that an item must have beside its response: source, instruction, reference. The others
# are shown where an item has them.
#require = ["instruction"]

# item-first (the default) evaluates an item once for many rubrics; rubric-first evaluates the rubric once
# for many items, which is cheaper where items are shorter than the rubric.
#order = "rubric-first"

# The system turn, and how the model's answer is opened; the label follows directly.
#system = "You are a careful editor."
#lead = "Grade: "

# The whole user message in your own words. {{sections}} shows the fields, {{criterion}} is needed; {{word}} is
# replaced by that field of the item, {{{{word}}}} writes {{word}}.
#template = "{{sections}}\\n\\n{{criterion}}\\n{{scale}}\\n{{descriptions}}"

# Further fields that {{word}} in criterion or template may name.
#fields = ["audience"]

# What each score means: one label, or a range of labels.
[descriptions]
"1-2" = "Padded: most of it could go."
3 = "Some sentences could go."
"4-5" = "Every sentence is needed."

# Own titles, order and choice of the fields that {{sections}} shows, in place of require.
#[[section]]
#field = "instruction"
#title = "Task"
#optional = true
#[[section]]
#field = "response"
#title = "Answer"
"""


def write_skeleton(name: str, path: str | Path | None = None) -> Path:
    """Write a commented rubric, complete and valid as it is, to `path`, by default NAME.toml here; return where.

    Raises PromptError for a name that is no word of letters, digits, - and _, where something is there
    already, and where it cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise PromptError(f"{name!r} is no name for a rubric", "use letters, digits, - and _, for instance: brevity")
    target = Path(path or f"{name}.toml")
    if target.suffix != ".toml":
        raise PromptError(f"{target}: a rubric's file must end in .toml", f"for instance -o {target.stem}.toml")
    try:
        with open(target, "x", encoding="utf-8") as file:
            file.write(_TEXT.format(name=name, file=target))
    except FileExistsError:
        raise PromptError(f"{target} is there already and was left as it is", "name another file with -o") from None
    except OSError as error:
        raise PromptError(f"{target}: cannot write: {error.strerror}", "name another place with -o") from None
    return target
