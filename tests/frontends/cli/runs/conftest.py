"""Runs of the command line, as processes of their own beside a server whose gateway is a stand-in."""

from ..conftest import Served, no_variables

__all__ = ["Served", "no_variables"]
