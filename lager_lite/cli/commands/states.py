"""lager-lite states"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...backbones import locate_model, open_model
from ...data import counted
from ...llama import Backbone
from ...tasks import prompts_of, write_states
from ..grammar import command as cli_command
from ..options import backend_options, backend_settings, chat_options, chat_settings, encoding_option
from ..outputs import OutputFile
from ..show.progress import say, show_stage, show_steps


@cli_command("states", example='lager-lite states "The capital of France is" -o states.npz')
@click.argument("prompt", metavar="PROMPT")
@click.option("--chat", "as_chat", is_flag=True, help="Put the text into the chat template as the user's message.")
@click.option("-o", "--output", required=True, type=OutputFile((".npz",)), help="Write to this .npz file.")
@encoding_option
@chat_options
@backend_options
def command(prompt: str, as_chat: bool, output: str, **given: Any) -> None:
    """Write the hidden states of every layer at the last token of PROMPT.

    PROMPT is a text, @FILE for a text file, or a .jsonl file of rows with `prompt` (and `id`). For one prompt, the
    .npz file holds `states`, float32 (L+1, n_embd), unnormalized, with the embedding in row 0; `final`, (n_embd,),
    state L after the output norm; `tokens`; and `logits`, those of the last token. For n prompts, the arrays have a
    leading axis, the tokens are joined, and `offsets`, int64 (n+1,), says where each prompt begins.
    """
    model = str(locate_model(given["model"]).path)
    open_model(model)
    chat = chat_settings(given, model) if as_chat else None
    texts = prompts_of(prompt, given["encoding"])
    with show_stage(f"loading {Path(model).name}"):
        opened = Backbone(model, backend_settings(given))
    with opened as backbone, show_steps("reading states", "writing the file") as progress:
        written = write_states(output, backbone, texts, chat, progress=progress)
    say(f"{counted(written, 'prompt')} written to {output}")
