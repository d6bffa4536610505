"""The prices that Apollo's adapter brought along, in USD per 1,000,000 tokens read and written."""

from typing import Any

from tekton_budget.domain.errors import BudgetError, InvalidInput, NotFound
from tekton_budget.face.budget import Budget

SOURCE = "apollo"
PRICES = {
    ("anthropic", "claude-3-opus-20240229"): ("15", "75"),
    ("anthropic", "claude-3-sonnet-20240229"): ("3", "15"),
    ("anthropic", "claude-3-haiku-20240307"): ("0.25", "1.25"),
    ("anthropic", "claude-3-5-sonnet-20240620"): ("3", "13"),
    ("openai", "gpt-4"): ("30", "60"),
    ("openai", "gpt-4-turbo"): ("10", "30"),
    ("openai", "gpt-4o"): ("10", "30"),
    ("openai", "gpt-3.5-turbo"): ("0.5", "1.5"),
    ("ollama", "llama3"): ("0", "0"),
    ("simulated", "simulated-standard"): ("0", "0"),
}


def migrated(budget: Budget) -> dict[str, Any]:  # Any: JSON
    """Set those that the price book does not have; what it has is dated and checked, and stays."""
    count = 0
    errors: list[str] = []
    for (provider, model), (read, written) in PRICES.items():
        try:
            if not _is_known(budget, provider, model):
                budget.set_price(provider, model, input=read, output=written, source=SOURCE)
                count += 1
        except BudgetError as error:
            errors.append(f"{provider}/{model}: {error}")
    return {"success": not errors, "pricing_records_migrated": count, "errors": errors}


def _is_known(budget: Budget, provider: str, model: str) -> bool:
    try:
        budget.current_price(provider, model)
    except (NotFound, InvalidInput):
        return False
    return True
