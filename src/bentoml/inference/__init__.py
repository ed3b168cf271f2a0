"""The execution core: bytes to values, values to user code, results to bytes. No transport."""
