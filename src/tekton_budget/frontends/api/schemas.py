"""What all bodies of the API share: words for exact amounts, times and pages."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from tekton_budget.domain.price import TIERS
from tekton_budget.frontends.http.wire import us_from_text


def _whole(value: object) -> object:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    if type(value) is not int:
        raise ValueError("send a whole number")
    return value


def _truth(value: object) -> object:
    if type(value) is not bool:
        raise ValueError("send true or false")
    return value


def _usd(value: object) -> object:
    if type(value) not in (Decimal, int, str):
        raise ValueError("send USD as a number, or as text with all its digits")
    if type(value) is str and len(value) > USD_TEXT_MAX:
        raise ValueError(f"send at most {USD_TEXT_MAX} characters")
    return value


def _number(value: object) -> object:
    if type(value) not in (Decimal, int, str) or (type(value) is str and len(value) > USD_TEXT_MAX):
        raise ValueError("send a number, or text with all its digits")
    return value


def _label_value(value: object) -> object:
    if value is not None and type(value) not in (str, int):
        raise ValueError("send text")
    return value


def _asked(value: object) -> object:
    listed = value if type(value) is list else [value]
    if not all(type(one) is str for one in listed):
        raise ValueError("send text, or a list of texts")
    return value


def _tier(value: object) -> object:
    """`REMOTE_HEAVYWEIGHT`, as the original's documents have it, is `remote_heavyweight`."""
    if type(value) is list:
        return [_tier(one) for one in value]
    return value.lower() if isinstance(value, str) and value.lower() in TIERS else value


USD_TEXT_MAX = 120
USD_TEXT = r"^[0-9]{1,10}(\.[0-9]{1,40})?$"
Whole = Annotated[int, BeforeValidator(_whole, json_schema_input_type=int)]
Truth = Annotated[bool, BeforeValidator(_truth, json_schema_input_type=bool)]
Usd = Annotated[
    Decimal,
    BeforeValidator(_usd),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": USD_TEXT},
            ],
            "description": "USD; a number, or text with all its digits",
        },
        mode="validation",
    ),
]
Factor = Annotated[
    Decimal,
    BeforeValidator(_number),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
                {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,6})?$"},
            ]
        },
        mode="validation",
    ),
]
Time = Annotated[
    int,
    BeforeValidator(us_from_text),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-12-01T00:00:00Z"]},
        mode="validation",
    ),
]
Metadata = dict[str, Any]  # Any: people's own JSON
LabelValue = Annotated[str | int | None, BeforeValidator(_label_value)]
TierValue = Annotated[LabelValue, BeforeValidator(_tier)]
TierText = Annotated[str | None, BeforeValidator(_tier)]
Labels = dict[str, LabelValue]
Asked = Annotated[str | list[str], BeforeValidator(_asked)]
AskedTier = Annotated[Asked, BeforeValidator(_tier)]
Scope = dict[str, Asked]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:@-]{1,200}$")]

# How answers are documented: money is a number, a time is a text.
UsdOut = Annotated[float | None, Field(description="USD, exact to 10⁻⁹")]
NumberOut = Annotated[float | None, Field(description="Exact, with all its digits")]
TimeOut = Annotated[str | None, Field(json_schema_extra={"format": "date-time"})]


class Body(BaseModel):
    """A request's body: a field that is not known is refused, so that no typo is lost."""

    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:  # Any: the fields as sent
        """Only what was sent."""
        return self.model_dump(exclude_unset=True)


# Fields of an answer that come back with it and say nothing new, such as when it was made.
ReadOnly = Annotated[Any, Field(description="Not used: it can be sent back as it was read")]


class View(BaseModel):
    """An answer as documented; answers themselves are written directly."""

    model_config = ConfigDict(defer_build=True)  # built when the document is asked for


class AmountsOut(View):
    """Tokens, cost and requests; `null` is without limit."""

    tokens: int | None
    cost: UsdOut
    requests: int | None


class StandingOut(View):
    """What a policy has left."""

    policy_id: str
    name: str
    group: str | None
    enforcement: str
    remaining: AmountsOut | None
    resets_at: TimeOut = None


class PassedOut(StandingOut):
    """A policy that stands in the way."""

    scope: Scope | None = Field(description="What calls it concerns")
    allocation_id: str | None = Field(
        None, description="Of a parent that stands in the way, in the place of a policy"
    )
    allowance: AmountsOut | None
    spent: AmountsOut | None
    held: AmountsOut | None
    asked: AmountsOut
    landing: AmountsOut | None = Field(description="Kept for the end, and not for this ask")


class FieldFaultOut(View):
    """A field that cannot be used as sent."""

    field: str
    message: str


class ProblemOut(View):
    """RFC 9457: what is refused, why, and what to do next."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    fields: list[FieldFaultOut] | None = None


class FitOut(View):
    """The largest ask of the same shape that would be granted now."""

    tokens: int | None
    cost: UsdOut
    max_output_tokens: int | None


class DenialOut(ProblemOut):
    """402: the call may not be made."""

    allocation_id: str
    decision: str
    policies: list[PassedOut]
    largest_fit: FitOut | None
    alternatives: list[str]
    blocked_on: str
    retryable: bool
    never_fits: bool
    resets_at: TimeOut = None
    dry_run: bool


T = TypeVar("T")


class PageOut(View, Generic[T]):
    """A page of a list; `after=<next>` gives the following one."""

    items: list[T]
    total: int | None
    page: int
    limit: int
    next: str | None


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How refusals are documented on every route."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
    document: Mapping[str, Any] = {"content": content}
    told: dict[int | str, dict[str, Any]] = {
        "4XX": {"description": "Refused: the document says why and what to do next", **document},
        "5XX": {"description": "Not possible now; ask again under the same id", **document},
    }
    for status in statuses:
        told[status] = {"description": "Refused", **document}
    return told
