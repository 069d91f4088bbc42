"""The options that say where results are written."""

from __future__ import annotations

import click

from ..grammar import JsonOption
from ..outputs import ROW_FILES, OutputFile
from .items import option_under

output_option = click.option(
    "-o",
    "--output",
    type=OutputFile(ROW_FILES, stdout=True),
    default="-",
    show_default=True,
    help="Write to this JSONL or CSV file; - is stdout.",
)
json_option = click.option(
    "--json",
    "json_file",
    cls=JsonOption,
    heading="Results",
    type=OutputFile((".json",), stdout=True),
    help="Print the figures as one JSON document in place of the tables; with =FILE, write it there and print the tables.",
)
report_option = option_under(
    "Results", "--report", type=OutputFile((".html", ".htm")), help="Also write an HTML page with figures to this file."
)
