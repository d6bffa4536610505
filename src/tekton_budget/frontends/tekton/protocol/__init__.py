"""Tekton's Multi-Component Protocol: other components ask by message or by tool."""
