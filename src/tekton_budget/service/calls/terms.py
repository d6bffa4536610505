"""What the policies that concern a call say of how it is made, beside whether it may be."""

from collections.abc import Mapping
from dataclasses import dataclass

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.policy import Enforcement, Holding, Policy
from tekton_budget.domain.policy_set import PolicySet


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of all policies and the key together."""

    grows: bool = False
    output_tokens: int | None = None  # of a call whose client names no maximum
    ladder: tuple[str, ...] = ()
    lands: bool = False  # a part is kept for calls that carry the note


NO_TERMS = Terms()


class TermsOf:
    """Finds them; where no policy has any, which is the rule, nothing is looked for."""

    def __init__(self) -> None:
        self._policies: PolicySet | None = None
        self._with_terms: frozenset[int] = frozenset()  # numbers: caps of runs are many

    def find(
        self, policies: PolicySet, caller: Caller, labels: Mapping[str, str], now_us: int
    ) -> Terms:
        """The terms of a call with these labels."""
        if policies is not self._policies:
            self._policies = policies
            self._with_terms = frozenset(p.no for p in policies.counting if _has_terms(p))
        if not self._with_terms:
            return Terms(ladder=caller.ladder) if caller.ladder else NO_TERMS
        concerned = policies.concerning(labels, now_us)
        found = [one for one in concerned if one.no in self._with_terms]
        outputs = [one.default_output_tokens for one in found if one.default_output_tokens]
        ladders = [caller.ladder, *(one.ladder for one in found)]
        return Terms(
            grows=any(one.hold is Holding.GROWING for one in found),
            output_tokens=min(outputs, default=None),
            ladder=next(filter(None, ladders), ()),
            lands=any(one.landing_ppm and one.enforcement is _HARD for one in found),
        )


_HARD = Enforcement.HARD_LIMIT


def _has_terms(policy: Policy) -> bool:
    return bool(
        policy.landing_ppm
        or policy.ladder
        or policy.default_output_tokens
        or policy.hold is Holding.GROWING
    )
