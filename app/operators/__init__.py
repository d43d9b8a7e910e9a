"""Commands for operators: `python -m app conversations` and `python -m app keys`. The server may be running."""
