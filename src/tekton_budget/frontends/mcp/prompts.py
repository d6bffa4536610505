"""The prompt "plan under budget": a task, what is left, what fits, and how to work within it."""

from collections.abc import Mapping

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.mcp.desk import Desk
from tekton_budget.frontends.mcp.parameters import TEXT, WHOLE, Parameter, checked
from tekton_budget.frontends.mcp.reading import budget_status, plan

NAME = "plan_under_budget"
TITLE = "Plan under budget"
SAYS = "Plan a task so that it ends within what is left of the budget."
ARGUMENTS = (
    Parameter("task", TEXT, "What is to be done"),
    Parameter("steps", WHOLE, "How many model calls you think it takes"),
)


async def text_of(desk: Desk, arguments: Mapping[str, str]) -> str:
    """The message, with the numbers as they are now."""
    said = checked(ARGUMENTS, arguments)
    if said.get("steps") == 0:
        raise invalid("steps", "send 1 or more, or leave it out")
    status = await budget_status(desk, {})
    fits = await plan(desk, {"steps": said["steps"]} if "steps" in said else {})
    task = said.get("task", "the task at hand")
    return (
        f"Plan this so that it ends within the budget: {task}\n\n"
        f"Budget: {status.text}\n{fits.text}\n\n"
        f"{_HOW}"
    )


_HOW = """\
Write down the steps, with the model and the rough cost of each, before you begin. Do what \
matters most first, so that what is done is of use wherever you have to stop. Keep a tenth for \
checking and for an orderly end. Before a costly step call `allocate`, after it `settle`; give \
sub-agents their part by `delegate`. When `budget_status` says that less than a fifth is left, use \
`recommend_model` or do less, and finish what is under way. When you are refused, do what the \
refusal says: do not try the same again."""
