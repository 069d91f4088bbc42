"""python -m lager_lite is lager-lite."""

from .cli import main

main(prog_name="lager-lite")
