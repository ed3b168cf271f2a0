"""Inputs of offline runs: one module per kind, all with the interface of `base`."""
