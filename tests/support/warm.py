"""Imported before servers are forked: they share the contract, read already."""

from app.contract import Contract

Contract.load()
