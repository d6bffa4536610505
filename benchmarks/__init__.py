"""Benchmarks: the numbers of the design, each measured as a ratio in one run on one machine."""
