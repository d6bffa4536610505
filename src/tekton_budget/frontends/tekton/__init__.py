"""Tekton's own ways in: drop-ins for the budget classes of its components."""
