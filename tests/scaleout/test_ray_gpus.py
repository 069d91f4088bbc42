"""Readings of workers with a GPU are named as theirs, although the process that sends the prompts has none."""

from __future__ import annotations

import functools
import importlib.util
import types
from dataclasses import asdict, replace

import pytest

from lager_lite.errors import ModelFileError
from lager_lite.judging import Judge, Store
from lager_lite.llama import Backbone, BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.records import Item
from lager_lite.scaleout import ray_workers as scaleout
from lager_lite.scaleout.ray_workers import Cluster, ReadBatch, spread

OPTIONS = BackendOptions(threads=1)
RUBRIC = make_rubric(name="good", scale="1-5", criterion="Is it good?", template="{sections} {criterion}")
ITEM = Item("a", {"response": "R"})


class OneWorker:
    """A Ray whose only worker is this process; it has a GPU where `device` names one."""

    exceptions = types.SimpleNamespace(RayError=type("RayError", (Exception,), {}))
    shutdown = staticmethod(lambda: None)
    get = staticmethod(lambda answer: answer)

    def __init__(self, device: str) -> None:
        self.device, self.wanted = device, {}

    def remote(self, **wanted):
        self.wanted = wanted
        return lambda function: types.SimpleNamespace(remote=functools.partial(self.ask, function))

    def ask(self, function, *arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Backbone, "place", property(lambda _: self.device))
            return function(*arguments)


def test_readings_of_workers_with_a_gpu_are_named_as_theirs(tiny_model, tmp_path, monkeypatch):
    cluster, ray = Cluster(1, gpus=0.5, threads=3), OneWorker("a GPU")
    monkeypatch.setattr(scaleout, "_started", lambda _: ray)
    options = cluster.here(OPTIONS)
    with Store(tmp_path / "s.sqlite") as store, Judge(tiny_model, rubric=RUBRIC, options=options, store=store) as judge:
        own = judge.encode(ITEM, RUBRIC).key
        with spread(judge, cluster, OPTIONS):
            assert ray.wanted == {"num_cpus": 3, "num_gpus": 0.5}
            assert judge.provenance().settings["device"] == "a GPU"
            assert judge.encode(ITEM, RUBRIC).key != own, "else a GPU's readings would be taken for a CPU's"
            arguments = (
                str(tiny_model),
                judge.info.fingerprint,
                judge.context_key,
                asdict(cluster.there(OPTIONS)),
                None,
            )
            assert ReadBatch(*arguments)._failure, "a worker without that GPU"
            monkeypatch.setattr(Backbone, "place", property(lambda _: "a GPU"))
            assert not ReadBatch(*arguments)._failure
            monkeypatch.undo()
            monkeypatch.setattr(scaleout, "_started", lambda _: ray)
        assert judge.encode(ITEM, RUBRIC).key == own and judge.provenance().settings["device"] == "CPU"
        with pytest.raises(ModelFileError, match="is another model"):
            monkeypatch.setattr(judge, "info", replace(judge.info, fingerprint="abc"))
            with spread(judge, cluster, OPTIONS):
                pass


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_ray_takes_workers_that_ask_for_a_gpu(tiny_model, tmp_path, monkeypatch):
    """Ray on this machine believes what it is told of GPUs; the workers find none, and read with the CPU."""
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_worker_register_timeout_seconds", "600")
    cluster, many = Cluster(1, gpus=1), [Item(str(n), {"response": f"R{n}"}) for n in range(20)]
    with Store(tmp_path / "s.sqlite") as store:
        with Judge(tiny_model, rubric=RUBRIC, options=cluster.here(OPTIONS), store=store) as judge:
            with spread(judge, cluster, OPTIONS):
                found = [one.score for one in judge.score(many)]
                assert judge.counts.stored == 0 and store.info().readings == 20
                assert [one.score for one in judge.score(many)] == found and judge.counts.stored == 20
