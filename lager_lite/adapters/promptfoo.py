"""A grader of promptfoo: what its `exec` provider asks a command, and how the command answers.

promptfoo calls a command with three arguments: the prompt, the provider's options and the context of the call, the
latter two as JSON. An `llm-rubric` assertion puts the output and the rubric into the context, and takes a JSON object with
`pass`, `score` and `reason` for an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..errors import DataError
from ..judging import Judge, under
from ..prompts import Rubric, list_rubrics, load_rubric, make_rubric
from .shares import one_rubric, share_of

_SLOT = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def grade(judge: Judge, context: str, *, threshold: float = 0.5) -> dict[str, Any]:
    """Return the verdict on the output that a context holds: `pass`, `score` (the share of the scale) and `reason`.

    - `judge`: a judge of one rubric. Its rubric is used where the assertion names it; the name of a shipped rubric is
      that one; any other text is the criterion, on the scale of the judge's rubric.
    - `context`: JSON, as promptfoo gives it.
    - `threshold`: the least share that passes.

    Raises DataError where the context holds nothing to grade.
    """
    given = _variables(context)
    rubric = _rubric(given.pop("rubric"), one_rubric(judge))
    row = {**given, "response": _text(given.pop("output"))}
    row.pop("output", None)
    share = share_of(judge if rubric in judge.rubrics else under(judge, rubric), row)
    return {"pass": share.value >= threshold, "score": share.value, "reason": share.reason}


def _variables(context: str) -> dict[str, Any]:
    try:
        given = json.loads(context)
    except ValueError as error:
        raise DataError(f"the third argument is no JSON: {error}", "it is the context that promptfoo gives") from None
    variables = given.get("vars") if isinstance(given, Mapping) else None
    if not isinstance(variables, Mapping) or not {"output", "rubric"} <= set(variables):
        raise DataError(
            "the context holds no output and rubric to grade",
            "name this provider as the grader of an llm-rubric assertion, not among the providers that are tested",
        )
    return {str(key): value for key, value in variables.items()}


def _rubric(given: Any, own: Rubric) -> Rubric:
    text = _text(given).strip()
    if text == own.name:
        return own
    if text in list_rubrics():
        return load_rubric(text)
    if not text:
        raise DataError("the assertion has no rubric", "write the criterion, or the name of a rubric, as its value")
    return make_rubric("rubric", _SLOT.sub(r"{{\1}}", text), scale=own.scale)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
