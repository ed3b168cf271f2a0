"""The web side of the server."""
