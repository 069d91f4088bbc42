"""What the server answers under which address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import __version__
from ..judging import Judge
from .asks import Started, ask_rubrics, ask_scores, at_once
from .bodies import RequestError
from .completions import check_model, completion_of, model_id, models_document, wanted_completion
from .pair_asks import ask_pairs
from .worker import Worker


@dataclass(frozen=True)
class Route:
    """An address.

    - `start`: from the body of a request to its Started. May raise LagerError.
    - `has_body`: whether it takes a body; then it is asked with POST, else with GET.
    """

    start: Callable[[Mapping[str, Any]], Started]
    has_body: bool = field(kw_only=True)


class Routes:
    """Every address of the server, for one Worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._doubts = worker.judge.doubts()
        self._known = {
            "/score": Route(lambda body: ask_scores(worker, body), has_body=True),
            "/pairs": Route(lambda body: ask_pairs(worker, body), has_body=True),
            "/rubrics": Route(lambda _: ask_rubrics(worker, {}), has_body=False),
            "/v1/chat/completions": Route(self._complete, has_body=True),
            "/v1/models": Route(lambda _: at_once(models_document(self._judge)), has_body=False),
            "/health": Route(lambda _: at_once(self._health()), has_body=False),
        }

    @property
    def _judge(self) -> Judge:
        return self._worker.judge

    def find(self, method: str, path: str) -> Route:
        """Return what answers a request. Raises RequestError for an unknown address (404) or a wrong method (405)."""
        route = self._known.get(path)
        if route is None and path.startswith("/v1/models/"):
            check_model(path.removeprefix("/v1/models/"), self._judge)
            route = Route(lambda _: at_once(models_document(self._judge)["data"][0]), has_body=False)
        if route is None:
            raise RequestError(404, "there is nothing at this address", f"the addresses are {', '.join(self._known)}")
        allowed = "POST" if route.has_body else "GET"
        if method != allowed:
            raise RequestError(405, f"{path} is asked with {allowed}", headers={"Allow": allowed})
        return route

    def _complete(self, body: Mapping[str, Any]) -> Started:
        wanted = wanted_completion(body, self._judge)
        future = self._worker.submit(wanted.ask())
        return Started(future, lambda answers: completion_of(wanted, answers[0][0], self._judge))

    def _health(self) -> dict[str, Any]:
        judge = self._judge
        return {
            "status": "ok",
            "version": __version__,
            "model": model_id(judge),
            "fingerprint": judge.info.fingerprint,
            "rubrics": [rubric.name for rubric in judge.rubrics],
            "fitted": judge.weights is not None,
            "waiting": self._worker.waiting,
            "judged": self._worker.done,
            "warnings": list(self._doubts),
        }
