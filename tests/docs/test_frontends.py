"""The table of clients in docs/frontends.md is what `scripts/frontends` prints. No client is started here."""

import re

import pytest

from scripts.frontend_trials.__main__ import HERE, kept, table, written
from scripts.frontend_trials.catalogue import CLIENTS, Client
from scripts.frontend_trials.trials import TRIALS
from tests.docs.pages import PAGES


def test_the_page_has_what_the_script_prints() -> None:
    """Of the results that were kept, letter by letter."""
    assert written() == table(kept())


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_was_tried_as_a_whole_and_is_told_how_to_connect(client: Client) -> None:
    """With every trial, each of which says something that fits into a cell."""
    result = kept().get(client.name, {})
    assert list(result) in ([], ["version", "date", *TRIALS])  # or it says in each cell that it was not tried
    assert [said for said in result.values() if not said or re.search(r"[|\n]", said)] == []
    assert (HERE / "programs" / client.program).exists()
    (table_of_settings,) = PAGES["frontends.md"].tables("Connect a front end")
    name = client.title.partition("` ")[0].split()[0].strip("`")
    assert any(name.lower() in row[0].lower() for row in table_of_settings)
