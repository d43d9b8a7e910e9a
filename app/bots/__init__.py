"""One module per bot. A bot knows `app.chat.model` and its own backend, and nothing else of this project."""
