"""Schema revisions: the chain of the 0.13 line, then this line's own. Forward only."""
