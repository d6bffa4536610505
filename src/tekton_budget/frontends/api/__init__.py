"""The HTTP door: JSON under /api/v1, and the same under /api."""

from tekton_budget.frontends.api.app import create_app

__all__ = ["create_app"]
