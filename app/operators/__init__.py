"""What operators do at a command line: `python -m app conversations`, `python -m app keys`. Beside a running server."""
