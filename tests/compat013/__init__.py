"""Compatibility with the real 0.13.1: fixtures it saved, answers it gave."""
