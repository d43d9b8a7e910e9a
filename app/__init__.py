"""The chat backend. `app.main:app` is the ASGI application; `python -m app` runs it with its own server."""
