"""Logs, metrics and timings. None of them holds an image, a vector or a name."""
