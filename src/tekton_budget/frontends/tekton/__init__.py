"""Tekton's own ways in: its protocol between components, and drop-ins for its older classes."""
