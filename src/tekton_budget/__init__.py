"""Tekton Budget: LLM spending, in tokens and in money, held exactly to the limits people set."""

__version__ = "0.1.0"
