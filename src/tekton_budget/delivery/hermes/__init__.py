"""Hermes, Tekton's registry: we tell it where we are, that we live, and which tools we have."""

from tekton_budget.delivery.hermes.board import Board
from tekton_budget.delivery.hermes.machine import Pace
from tekton_budget.delivery.hermes.profile import Profile, Tool
from tekton_budget.delivery.hermes.registrar import Registrar
from tekton_budget.delivery.hermes.state import HermesState

__all__ = ["Board", "HermesState", "Pace", "Profile", "Registrar", "Tool"]
