"""What this service is to Tekton: one of its components, with a name and what it can do."""

NAME = "budget"
OTHER_NAME = "penia"  # the component's later name in Tekton, which its messages may be sent to
DESCRIPTION = "Holds LLM spending, in tokens and in money, to the limits that people set"
_CAPABILITIES = (
    "budget_allocation",
    "cost_tracking",
    "usage_monitoring",
    "assistant_service",
    "websocket_support",
)


def capabilities(*, mcp: bool) -> tuple[str, ...]:
    """What it can do, in Tekton's words."""
    return (*_CAPABILITIES, "mcp_bridge") if mcp else _CAPABILITIES
