"""Where the server keeps the files of bundles: a directory, or an object store."""
