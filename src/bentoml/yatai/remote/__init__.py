"""The client's side of a server: its repository, and the transfers of bundles."""
