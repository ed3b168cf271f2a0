"""Container engines: each is a table of command lines, pure functions of what is to be built."""
