"""The HTTP server: uvicorn with limits on connections, and with a drain. Knows no handler."""
