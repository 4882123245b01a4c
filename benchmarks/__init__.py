"""Measures the service against two other ways to build it, on the same data: see README.md."""

SECRET = "only for benchmarks: 0123456789abcdef"
