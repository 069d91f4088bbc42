"""What a stopped command says of what it leaves behind."""

from __future__ import annotations

import click
import pytest

from lager_lite.cli.options.judging import open_store
from lager_lite.cli.show.stopping import SERVED, kept, kept_when_stopped


@pytest.mark.parametrize("serves", [False, True])
@pytest.mark.parametrize("no_store", [False, True])
def test_nothing_is_promised_without_a_store(serves, no_store, tmp_path) -> None:
    command = click.Command("judge", params=[click.Option(["--store", "store_path"])])
    with click.Context(command) as context:
        if serves:
            kept_when_stopped(SERVED)
        store = open_store({"no_store": no_store, "store_path": None if no_store else tmp_path / "s.sqlite"})
        said = kept(context, command)
    assert (store is None) == no_store
    if serves and no_store:
        assert said == "What was evaluated is not kept, since there is no store."
    else:
        assert ("in the store" in said) == (not no_store)
        assert ("Output files are complete" in said) == (not serves)
    if store is not None:
        store.close()
