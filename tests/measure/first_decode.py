"""A process of `tests.measure.start_times`, which ends when llama.cpp is first asked to decode.

    python tests/measure/first_decode.py command score items.jsonl -o scores.jsonl
    python tests/measure/first_decode.py python model.gguf

It is run by its path, so that nothing is imported before what the program itself imports. Its last line on stdout holds
two numbers: the moment of the first decode on the system's monotonic clock, and the processor time until then, in seconds.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

_WATCHED = "llama_cpp.llama_cpp"


class Watch:
    """Replaces `llama_decode` when the module of llama.cpp's functions is loaded."""

    def find_spec(self, name, path, target=None):
        """The spec of the watched module; None for any other, which Python then finds as usual."""
        if name != _WATCHED:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            module.llama_decode = end

        spec.loader.exec_module = exec_module
        return spec


def end(*_):
    """Say when this is, and end the process."""
    moment, processor = time.monotonic(), time.process_time()
    os.write(1, f"\n{moment} {processor}\n".encode())
    os._exit(0)


def main():
    """Run the command line, or open a judge in Python."""
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    sys.meta_path.insert(0, Watch())
    door, *rest = sys.argv[1:]
    if door == "command":
        sys.argv[1:] = rest
        importlib.import_module("lager_lite.__main__").run()
    else:
        importlib.import_module("lager_lite").Judge(rest[0])


if __name__ == "__main__":
    main()
