"""The command line: `tekton-budget`, in the words of the API."""

from tekton_budget.frontends.cli.app import app, main
from tekton_budget.frontends.cli.terminal.exits import EXIT_CODES

__all__ = ["EXIT_CODES", "app", "main"]
