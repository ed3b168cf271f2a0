"""Managing saved bundles from Python; the client works on the local repository."""
