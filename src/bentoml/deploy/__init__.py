"""Operators: they make a deployment real somewhere, look at it, and end it."""
