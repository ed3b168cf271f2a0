"""Spans of the model server: their context in header fields, and their way to a collector."""
