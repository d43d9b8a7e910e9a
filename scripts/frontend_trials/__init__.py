"""Tries existing clients against the service: see `scripts/frontends`."""
