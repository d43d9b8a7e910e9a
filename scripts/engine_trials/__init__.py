"""Tries real engines behind the running service, and writes what happened into docs/bots.md; see `scripts/engines`."""
