"""Other ways to serve the same echo over Server-Sent Events, each written as its own documentation would have it."""
