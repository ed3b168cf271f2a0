"""Services as processes of this machine, each with a keeper that survives the server."""
