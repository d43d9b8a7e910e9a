"""Imported before servers are forked, so that they share the parsed contract."""

from app.contract import Contract

Contract.load()
