"""The HTTP server: uvicorn with bounds on what a connection may hold, and with a drain. Knows no handler."""
