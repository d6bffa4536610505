"""What the gateway holds for calls under way: their clients' keys neither end nor share it."""

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.errors import Forbidden


def kept_by_gateway(allocation: Allocation, caller: Caller) -> Forbidden | None:
    """The refusal to a client of what is held for its call: else a call under way held nothing."""
    is_kept = allocation.stated is not None and allocation.stated.in_gateway
    if not is_kept or caller.in_gateway or caller.role is not Role.CLIENT:
        return None
    return Forbidden(
        f"The allocation {allocation.id!r} is the gateway's, which ends it with the call: there is "
        "nothing to do. For what you do besides, ask for an allocation of your own.",
        code="held_by_gateway",
    )
