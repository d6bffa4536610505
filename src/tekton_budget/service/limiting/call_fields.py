"""What policies and keys say of calls through the gateway: landing, ladder, hold, output."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.policy import PPM, Enforcement, Holding, Policy
from tekton_budget.domain.scope import LABEL_VALUE_MAX
from tekton_budget.service.asking.commands import CALL_TOKENS_MAX, choice

CALL_FIELDS = ("landing", "ladder", "hold", "default_output_tokens")
LADDER_MAX = 10


def call_fields(fields: Mapping[str, Any]) -> dict[str, Any]:  # Any: as sent
    """The fields of `Policy` that were named, checked; `null` takes what was said away."""
    said: dict[str, Any] = {}
    if "landing" in fields:
        said["landing_ppm"] = _landing_ppm(fields["landing"])
    if "ladder" in fields:
        said["ladder"] = checked_ladder(fields["ladder"])
    if fields.get("hold") is not None:
        said["hold"] = choice("hold", Holding, str(fields["hold"]))
    if "default_output_tokens" in fields:
        said["default_output_tokens"] = _output_tokens(fields["default_output_tokens"])
    return said


def check_landing(policy: Policy) -> None:
    """Only what denies can keep a part of itself for the end."""
    if policy.landing_ppm and policy.enforcement is not Enforcement.HARD_LIMIT:
        raise invalid("landing", "goes with hard_limit only; send landing 0 to keep nothing")


def checked_ladder(value: object) -> tuple[str, ...]:
    """Models to go on with, in the order in which they are tried."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise invalid("ladder", "send a list of models")
    if len(value) > LADDER_MAX or len(set(map(str, value))) != len(value):
        raise invalid("ladder", f"send up to {LADDER_MAX} different models")
    for model in value:
        if not (isinstance(model, str) and 0 < len(model) <= LABEL_VALUE_MAX):
            raise invalid("ladder", "send names of models")
        if not model.isprintable() or model != model.strip():
            raise invalid("ladder", "send names of models")
    return tuple(value)


def _landing_ppm(value: object) -> int:
    """A share as sent: 0.1, or `10%`."""
    if value is None:
        return 0
    text = str(value).strip()
    percent = text.endswith("%")
    try:
        share = Decimal(text.removesuffix("%").strip())
    except ArithmeticError as error:
        raise _no_share() from error
    if not share.is_finite() or isinstance(value, bool):
        raise _no_share()
    if percent:
        share /= 100
    if not 0 <= share < 1:
        raise _no_share()
    return int(share * PPM)


def _no_share() -> Exception:
    return invalid("landing", "send a share from 0 to below 1, like 0.1 or 10%")


def _output_tokens(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= CALL_TOKENS_MAX:
        text = f"send a whole number, 1 to {CALL_TOKENS_MAX}, or null for none"
        raise invalid("default_output_tokens", text)
    return value
