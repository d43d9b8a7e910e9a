"""Imported before servers are forked, so that they share the parsed contract, and what is imported late."""

from contextlib import suppress

from app.contract import Contract

with suppress(ImportError):
    import uvloop  # noqa: F401 - uvicorn's first choice, where there is one

Contract.load()
