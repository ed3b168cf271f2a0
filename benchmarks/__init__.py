"""Measurements: `serving` compares whole servers, each figure with its method and machine."""
