"""One small program per server, each run by the Python of its own environment; `registry.py` lists them."""
