"""Whose bundles are accepted, and what their pickles may reach: keys, signatures, scans, the guard."""
