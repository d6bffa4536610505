"""A call like past ones: what an argument that was left out is taken to be."""

from dataclasses import dataclass
from typing import Any

from tekton_budget.frontends.mcp.desk import Desk

Said = dict[str, Any]  # Any: arguments as checked


@dataclass(frozen=True, slots=True)
class TypicalCall:
    """Model and tokens, as said or as past calls have them, and what had to be assumed."""

    provider: str | None
    model: str | None
    input_tokens: int
    output_tokens: int
    assumed: list[str]

    @property
    def name(self) -> str:
        """`openai/gpt-5-mini`."""
        return f"{self.provider}/{self.model}" if self.provider else str(self.model)


async def typical_call(desk: Desk, said: Said, rank: str) -> TypicalCall:
    """At a rank of past calls: `median` or `p90`."""
    tokens_out = said.get("output_tokens", said.get("max_output_tokens"))
    plan = await desk.face.plan(
        models=[said["model"]] if "model" in said else (),
        input_tokens=said.get("input_tokens"),
        output_tokens=tokens_out,
        labels=said.get("labels"),
    )
    assumed = list(plan["assumed"])
    if not plan["models"]:
        return TypicalCall(None, None, said.get("input_tokens", 0), tokens_out or 0, assumed)
    one = plan["models"][0]
    use = one[rank]
    if use["input_tokens"] is None or use["output_tokens"] is None:  # its calls tell only totals
        output = use["tokens"] // 4
        assumed.append("a quarter of the tokens of past calls as output")
        tokens_in = use["tokens"] - output
        return TypicalCall(one["provider"], one["model"], tokens_in, output, assumed)
    if "model" not in said and plan["calls"]:
        assumed.append("the model used most lately")
    if "input_tokens" not in said or tokens_out is None:
        where = "median" if rank == "median" else "90th percentile"
        if one["basis"] != "assumed":
            assumed.append(f"tokens at the {where} of past calls")
    return TypicalCall(
        one["provider"], one["model"], use["input_tokens"], use["output_tokens"], assumed
    )


def parted(name: str) -> tuple[str | None, str]:
    """`openai/gpt-5-mini` → provider and model; without a slash, of whichever provider."""
    provider, slash, model = name.partition("/")
    return (provider, model) if slash else (None, name)
