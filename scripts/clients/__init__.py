"""Makes clients from the contract, as client teams would; see `scripts/sdk`."""
