"""What is closed, forked or in use is refused in words; each of these ended or hung the process, or gave wrong states."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path

import numpy as np
import pytest

from lager_lite.errors import MisuseError
from lager_lite.llama import Backbone, BackendOptions, Generator, Request
from tests.effort import patience

pytest.importorskip("resource", reason="forks and signals of POSIX")
ROOT = Path(__file__).resolve().parents[2]
OPTIONS = BackendOptions(threads=1, batch_size=32, ubatch_size=32)
BEGIN = """
    import os, signal, sys, threading
    import numpy as np
    from lager_lite.llama import Backbone, BackendOptions
    from lager_lite.errors import MisuseError
    backbone = Backbone(sys.argv[1], BackendOptions(threads=1, batch_size=32, ubatch_size=32))
"""


@pytest.fixture
def backbone(tiny_model):
    with Backbone(tiny_model, OPTIONS) as loaded:
        yield loaded


@pytest.fixture
def prompts():
    rng = np.random.default_rng(1)
    return [rng.integers(3, 250, 25).astype(np.int32) for _ in range(6)]


def run(program: str, model: Path) -> subprocess.CompletedProcess:
    """Run a program in a process of its own, since it may die or hang."""
    text = textwrap.dedent(BEGIN) + textwrap.dedent(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", text, str(model)], env=environment, capture_output=True, text=True, timeout=patience(120)
    )


def test_a_closed_model_and_its_contexts_are_refused(tiny_model, prompts):
    backbone = Backbone(tiny_model, OPTIONS)
    context = backbone.context(32)
    left = context.evaluate(prompts)
    next(left)
    backbone.close()
    backbone.close()
    for use in (
        lambda: backbone.tokenize("a", parse_special=False),
        lambda: backbone.piece(3),
        lambda: backbone.is_control(3),
        lambda: backbone.context(32),
        lambda: backbone.read_states(prompts),
    ):
        with pytest.raises(MisuseError, match=r"^the model llama.gguf is closed$"):
            use()
    uses = (lambda: next(left), lambda: context.evaluate(prompts), context.wait, lambda: context.run_plain(prompts[0]))
    for use in uses:
        with pytest.raises(MisuseError, match="^this context is closed$"):
            use()
    context.close()


def test_an_evaluation_inside_another_is_right_and_the_outer_one_is_refused(backbone, prompts):
    alone = backbone.read_states(prompts[:2])
    with backbone.context(32) as context:
        outer = context.evaluate(prompts)
        next(outer)
        inner = {i: g.states[row] for g in context.evaluate(prompts[:2]) for row, i in enumerate(g.prompts)}
        with pytest.raises(MisuseError, match="another use of this context was begun before this one had ended"):
            next(outer)
    for index, states in inner.items():
        # Company moves float32 sums of a stock library in the last digits.
        np.testing.assert_allclose(states, alone[index].states, rtol=0, atol=1e-4)


def test_a_writer_whose_texts_are_interleaved_is_refused(backbone, prompts):
    with Generator(backbone, prompts, most=3) as generator:
        first = generator.write([Request(p) for p in prompts])
        next(first)
        second = generator.write([Request(p) for p in prompts])
        next(second)
        with pytest.raises(MisuseError, match="another use of this context"):
            next(first)
        assert len(list(second)) == len(prompts) - 1


def test_threads_on_one_context_are_right_or_refused(tiny_model):
    done = run(
        """
        backbone_prompts = [np.arange(3, 28, dtype=np.int32) + i for i in range(20)]
        expected = backbone.read_states(backbone_prompts)
        refused, whole, wrong = [], [], []
        context = backbone.context(32)
        def work():
            for _ in range(30):
                try:
                    seen = 0
                    for group in context.evaluate(backbone_prompts):
                        for row, index in enumerate(group.prompts):
                            seen += 1
                            if np.abs(group.states[row] - expected[index].states).max() > 1e-4:
                                wrong.append(index)
                    (whole if seen == 20 else wrong).append(seen)
                except MisuseError:
                    refused.append(1)
        threads = [threading.Thread(target=work) for _ in range(3)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        print(len(refused) + len(whole), wrong)
        """,
        tiny_model,
    )
    assert (done.returncode, done.stdout) == (0, "90 []\n"), done.stderr


def test_a_model_closed_under_other_threads_is_refused_in_them(tiny_model):
    done = run(
        """
        prompts = [np.arange(3, 28, dtype=np.int32) + i for i in range(20)]
        begun, ends = threading.Barrier(4), []
        def work(use):
            begun.wait()
            try:
                while True:
                    use()
            except MisuseError as error:
                ends.append(error.message.endswith("is closed"))
        context = backbone.context(32)
        uses = (
            lambda: [None for _ in context.evaluate(prompts)],
            lambda: backbone.tokenize("some words", parse_special=False),
            lambda: backbone.read_states(prompts[:2]),
        )
        threads = [threading.Thread(target=work, args=(use,)) for use in uses]
        [t.start() for t in threads]
        begun.wait()
        backbone.close()
        [t.join() for t in threads]
        print(ends)
        """,
        tiny_model,
    )
    assert (done.returncode, done.stdout) == (0, "[True, True, True]\n"), done.stderr


def test_a_forked_process_is_refused_and_ends(tiny_model):
    done = run(
        """
        context = backbone.context(32)
        prompt = np.arange(3, 28, dtype=np.int32)
        list(context.evaluate([prompt]))
        child = os.fork()
        if not child:
            for use in (
                lambda: list(context.evaluate([prompt])),
                lambda: backbone.tokenize("a", parse_special=False),
                lambda: backbone.context(32),
            ):
                try:
                    use()
                    print("used")
                except MisuseError as error:
                    print(error.message, flush=True)
            context.close()
            backbone.close()
            sys.exit(0)
        print(os.waitpid(child, 0)[1], sum(1 for _ in context.evaluate([prompt])))
        """,
        tiny_model,
    )
    told = "was opened before this process was forked, and cannot be used in it"
    lines = [f"this context {told}", f"the model llama.gguf {told}", f"the model llama.gguf {told}", "0 1"]
    assert (done.returncode, done.stdout.splitlines()) == (0, lines), done.stderr


def test_a_signal_during_a_decode_is_raised_after_it(tiny_model):
    """The program's handler ran in the callback, and the decode gave 'shows no tensor for state ...'."""
    done = run(
        """
        import time
        from lager_lite.errors import LagerError
        prompts = [np.arange(3, 28, dtype=np.int32) + i for i in range(20)]
        context, stop, kinds = backbone.context(32), threading.Event(), {}
        def disturb():
            while not stop.is_set():
                os.kill(os.getpid(), signal.SIGUSR1)
                time.sleep(0.0005)
        class Alarm(Exception):
            pass
        armed = False
        def handler(*_):
            if armed:
                raise Alarm
        signal.signal(signal.SIGUSR1, handler)
        thread = threading.Thread(target=disturb)
        thread.start()
        for _ in range(300):
            try:
                armed = True
                for _ in context.evaluate(prompts):
                    pass
                armed = False
            except (Alarm, LagerError) as error:
                armed = False
                kinds[type(error).__name__] = kinds.get(type(error).__name__, 0) + 1
        stop.set()
        thread.join()
        print(sorted(kinds), kinds["Alarm"] > 20, signal.getsignal(signal.SIGUSR1) is handler)
        """,
        tiny_model,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "['Alarm'] True True\n", "")


def test_an_abandoned_model_is_freed(tiny_model):
    backbone = Backbone(tiny_model, OPTIONS)
    context = backbone.context(32)
    gone = weakref.ref(backbone), weakref.ref(context)
    owned = backbone._owned, context._owned
    del backbone, context
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    assert [one._pointer for one in owned] == [None, None]
