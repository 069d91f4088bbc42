"""Options that several commands share, each written once and handed out by one decorator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from ...backbones import locate_model, parts_of_model
from ...judging import OVERFLOW, TEMPERATURE
from ...llama import CACHE_TYPES, CPU_BATCH, FLASH_ATTENTION, GPU_BATCH, MOST_THREADS, SPLIT_MODES, WEIGHTS_AS
from ...system import refusing
from ..outputs import NamedFile, OutputFile, store_of
from ..streams import QUIET
from .items import C, all_of, option_under
from .types import GPU_LAYERS, RAY_ADDRESS, SERVERS, WEIGHTS

_BATCH = f"The default is {CPU_BATCH}, on a GPU {GPU_BATCH}."
_FILE = click.Path(dir_okay=False)


keep_states_option = option_under(
    "Store",
    "--keep-states",
    is_flag=True,
    help="Keep the hidden states of labelled items in the store, so that kind states is fitted again without a pass.",
)
weights_options = all_of(
    option_under(
        "Weights",
        "-w",
        "--weights",
        type=WEIGHTS,
        help="Use the layer weights of this file, made by `fit`, or those that ship under this name.",
    ),
    option_under(
        "Weights", "--force", is_flag=True, help="Allow weights of another backbone or rubric where they can work."
    ),
)


def _rubric_option(default: str = "default", *, repeat: bool = True) -> Callable[[C], C]:
    again = " May be repeated." if repeat else ""
    return option_under(
        "Prompt",
        "-r",
        "--rubric",
        "rubrics",
        multiple=True,
        metavar="RUBRIC",
        help=f"Name or TOML file of a rubric.{again}  [default: {default}]",
    )


rubric_option = _rubric_option()
chat_options = all_of(
    option_under(
        "Prompt", "--chat-template", help='Jinja text that replaces the model\'s chat template; "none" for plain text.'
    ),
    option_under("Prompt", "--chat-template-file", type=_FILE, help="Read the chat template from this file."),
    option_under(
        "Prompt",
        "--chat-template-kwargs",
        metavar="JSON",
        help='Values that the chat template uses, for instance {"enable_thinking": false}.',
    ),
)
scale_option = option_under(
    "Prompt",
    "--scale",
    help="Put the rubrics on another scale, for instance 0-4, A-E, labels from the worst to the best "
    "(poor,fair,good), or labels with what they are worth (1=0,2=50,3=100).",
)
_prompt_options = all_of(
    option_under(
        "Prompt",
        "--overflow",
        type=click.Choice(OVERFLOW),
        default="error",
        show_default=True,
        help="What to do with a prompt that is longer than the context: `error` and `skip` both leave its item without a "
        'score and give the reason, which begins with "skipped:" for `skip`; `truncate-middle` cuts its longest text.',
    ),
    chat_options,
)
reason_options = all_of(
    option_under(
        "Feedback",
        "--reason",
        type=click.IntRange(1),
        metavar="N",
        help="Let the model write up to N tokens of feedback before every score.",
    ),
    option_under(
        "Feedback",
        "--votes",
        type=click.IntRange(1),
        help="Number of feedback texts per judgment; their layer logits are averaged.  [default: 1]",
    ),
    option_under(
        "Feedback",
        "--temperature",
        type=click.FloatRange(0),
        help="Sampling temperature of the feedback; 0 always takes the most likely token.  "
        f"[default: 0, with several votes {TEMPERATURE}]",
    ),
)
seed_option = option_under("Randomness", "-s", "--seed", type=int, default=0, show_default=True, help="Random seed.")


def folds_option(
    default: int | None = 5, help: str = "Number of folds for cross-validation, split by group."
) -> Callable[[C], C]:
    """`--cv FOLDS`."""
    return option_under(
        "Folds", "--cv", "folds", type=click.IntRange(2), default=default, show_default=default is not None, help=help
    )


def hold_out_option(help: str, fields: Sequence[str] | None = None) -> Callable[[C], C]:
    """`--hold-out FIELD`; fields: those that there are, None for any field of the items."""
    if fields is None:
        return option_under("Folds", "--hold-out", metavar="FIELD", help=help)
    return option_under("Folds", "--hold-out", type=click.Choice(fields), help=help)


_MODEL = NamedFile(lambda name: parts_of_model(locate_model(name).path))
_MODEL_HELP = (
    "The backbone: a GGUF file, hf:user/repo[:quant], ollama:name[:tag], lmstudio:publisher/model[:quant], or a "
    "name of `models catalog`. The default is LAGER_LITE_MODEL, else the packaged model."
)
model_option = option_under("Backend", "-m", "--model", type=_MODEL, help=_MODEL_HELP)


def _one_or_panel(
    ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> str | tuple[str, ...] | None:
    """The model where there is one, all models of a panel, None for the default one."""
    return given if len(given) > 1 else next(iter(given), None)


_models_option = option_under(
    "Backend",
    "-m",
    "--model",
    multiple=True,
    callback=_one_or_panel,
    type=_MODEL,
    help=_MODEL_HELP + " Several -m make a panel.",
)
threads_option = option_under(
    "Backend",
    "-t",
    "--threads",
    type=click.IntRange(1, MOST_THREADS),
    help="Number of CPU threads. The default is the number of cores that this process may use.",
)
quiet_option = option_under(
    "Results",
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=lambda ctx, _, value: ctx.meta.update({QUIET: value}),
    help="Show the result and errors only.",
)
_offline_option = option_under(
    "Backend",
    "--offline/--online",
    default=True,
    show_default=True,
    expose_value=False,
    is_eager=True,
    callback=lambda ctx, _, value: ctx.with_resource(refusing(value)),
    help="Refuse or allow the network. Offline, this process opens no network socket.",
)
_guard_option = option_under(
    "Backend",
    "--guard/--no-guard",
    default=True,
    show_default=True,
    envvar="LAGER_LITE_GUARD",
    show_envvar=True,
    help="Try to load an unknown model file in a child process first, so that a crash does no harm.",
)
_machine_options = all_of(
    option_under(
        "Backend",
        "-ngl",
        "--gpu-layers",
        type=GPU_LAYERS,
        metavar="N|auto|all",
        default="auto",
        show_default=True,
        help="Number of blocks that are computed on the GPU.",
    ),
    option_under(
        "Backend",
        "-sm",
        "--split-mode",
        type=click.Choice(list(SPLIT_MODES)),
        default="layer",
        show_default=True,
        help="How the model is split across several GPUs.",
    ),
    option_under(
        "Backend",
        "-mg",
        "--main-gpu",
        type=int,
        default=0,
        show_default=True,
        help="Number of the GPU that is used where the model is not split.",
    ),
    option_under(
        "Backend", "--rpc", type=SERVERS, default=(), help="Use the devices of these servers, too; needs --online."
    ),
    option_under(
        "Backend",
        "-c",
        "--ctx-size",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Longest prompt in tokens; 0 means as long as needed.",
    ),
    option_under(
        "Backend",
        "-b",
        "--batch-size",
        type=click.IntRange(1),
        help=f"Largest number of tokens in one decode. {_BATCH}",
    ),
    option_under(
        "Backend",
        "-ub",
        "--ubatch-size",
        type=click.IntRange(1),
        help=f"Largest number of tokens that the device computes at once. {_BATCH}",
    ),
    threads_option,
    option_under(
        "Backend",
        "-fa",
        "--flash-attn",
        type=click.Choice(list(FLASH_ATTENTION)),
        default="auto",
        show_default=True,
        help="Whether to use flash attention.",
    ),
    option_under(
        "Backend",
        "-ctk",
        "--cache-type-k",
        type=click.Choice(list(CACHE_TYPES)),
        default="f16",
        show_default=True,
        help="Number format of the keys in the KV cache.",
    ),
    option_under(
        "Backend",
        "-ctv",
        "--cache-type-v",
        type=click.Choice(["auto", *CACHE_TYPES]),
        default="auto",
        show_default=True,
        help="Number format of the values in the KV cache.",
    ),
    option_under(
        "Backend",
        "--weights-as",
        type=click.Choice(list(WEIGHTS_AS)),
        default="auto",
        show_default=True,
        help="How quantized weights are multiplied: unpacked to BF16 or float32, or as in the file. auto unpacks them on a "
        "CPU, unless the file as it is was measured to be a fifth faster and as steady; only the patched library can. An "
        "NVIDIA GPU reads an unpacked copy, which auto makes up to 4 GB (see `models copies`).",
    ),
    option_under(
        "Backend",
        "--exact",
        is_flag=True,
        help="The most exact arithmetic: -fa off -ctk f32 -ctv f32, and weights unpacked to float32 where the library "
        "can. An NVIDIA GPU reads a copy in float32, or the command ends. One prompt is read at a time.",
    ),
    option_under(
        "Backend",
        "--steady",
        is_flag=True,
        help="Evaluate every prompt apart, in pieces of -b tokens (256): other prompts and their order change no bit.",
    ),
    option_under("Backend", "-v", "--verbose", is_flag=True, help="Show llama.cpp's log."),
    _offline_option,
    _guard_option,
    quiet_option,
)
backend_options = all_of(model_option, _machine_options)
store_option = option_under(
    "Store",
    "--store",
    "store_path",
    type=OutputFile(None, unnamed=store_of),
    help="File of the store. The default is LAGER_LITE_STORE, else a file in the user's cache folder.",
)
store_options = all_of(
    store_option,
    option_under(
        "Store", "--no-store", "--no-cache", is_flag=True, help="Neither read from the store nor write to it."
    ),
)
judge_options = all_of(rubric_option, scale_option, _prompt_options, backend_options, store_options)
panel_options = all_of(rubric_option, scale_option, _prompt_options, _models_option, _machine_options, store_options)


def judge_options_with(rubric: str, *, repeat: bool = True, scale: bool = True) -> Callable[[C], C]:
    """`judge_options` of a command whose rubric, without -r, is `rubric`.

    repeat: whether it takes several. scale: whether it can be put on another scale.
    """
    scales = (scale_option,) if scale else ()
    return all_of(_rubric_option(rubric, repeat=repeat), *scales, _prompt_options, backend_options, store_options)


cluster_options = all_of(
    option_under(
        "Cluster",
        "--ray",
        type=RAY_ADDRESS,
        is_flag=False,
        flag_value="local",
        help="Evaluate on the workers of a Ray cluster: `local` (also without ADDRESS) starts one, `auto` finds a running "
        "one. Needs --online.",
    ),
    option_under(
        "Cluster", "--workers", type=click.IntRange(1), help="With --ray: number of processes that load the model."
    ),
    option_under(
        "Cluster",
        "--gpus-per-worker",
        type=click.FloatRange(0),
        help="With --ray: GPUs per worker; may be a fraction.  [default: 0]",
    ),
    option_under(
        "Cluster",
        "--threads-per-worker",
        type=click.IntRange(1, MOST_THREADS),
        help="With --ray: threads per worker.  [default: 1]",
    ),
)
