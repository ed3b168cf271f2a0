"""Queries on the registry's tables. Each function works in the transaction that it is given."""
