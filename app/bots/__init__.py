"""One module a bot. A bot knows `app.chat.model` and what it talks to, nothing else of this project."""
