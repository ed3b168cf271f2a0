"""The load that the management server has to hold; see `python -m benchmarks.yatai --help`."""
