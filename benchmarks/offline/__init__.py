"""Offline runs beside bare loops of read, predict, write. `python -m benchmarks.offline --help`."""
