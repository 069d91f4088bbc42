"""`python -m lager_lite` runs the same command line as `lager-lite`."""

from .cli import main

main(prog_name="lager-lite")
