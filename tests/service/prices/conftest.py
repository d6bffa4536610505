"""A service over a fresh store, as where verbs are tried that write."""

from tests.service.writing.conftest import clock, quick, running

__all__ = ["clock", "quick", "running"]
