"""lager-lite states"""

from __future__ import annotations

from typing import Any

import click

from ...backbones import locate_model, open_model
from ...llama import Backbone
from ...tasks import prompts_of, write_states
from ..options import backend_options, backend_settings, chat_options, chat_settings


@click.command("states")
@click.argument("prompt", metavar="PROMPT")
@backend_options
@chat_options
@click.option("--chat", "as_chat", is_flag=True, help="Put the text into the chat template as the user's message.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The .npz file to write.")
def command(prompt: str, as_chat: bool, output: str, **given: Any) -> None:
    """Write the hidden states of every layer at the last token of PROMPT.

    PROMPT is a text, @FILE for a text file, or a .jsonl file of rows with `prompt` (and `id`).
    The .npz holds, for one prompt: states float32 (L+1, n_embd), raw, row 0 the embedding; final
    (n_embd,), state L after the output norm; tokens; logits of the last row. For n prompts the same
    with a leading axis, tokens joined, and offsets int64 (n+1,).
    """
    model = str(locate_model(given["model"]).path)
    open_model(model)
    chat = chat_settings(given, model) if as_chat else None
    with Backbone(model, backend_settings(given)) as backbone:
        written = write_states(output, backbone, prompts_of(prompt), chat)
    click.echo(f"{written} prompt(s) written to {output}", err=True)
