"""Serving throughput and latency, side by side with other servers in one run."""
