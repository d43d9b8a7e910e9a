"""Generates clients from the contract, like client teams would; see `scripts/sdk`."""
