"""A call through the gateway, and the leave to make it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tekton_budget.domain.answer import Grant
from tekton_budget.domain.call import Need
from tekton_budget.domain.caller import Caller

Count = Callable[[], Awaitable[int | None]]
NeedOf = Callable[[str], Need]


@dataclass(frozen=True, slots=True)
class Call:
    """What a client wants to send to a provider, and under which conditions."""

    caller: Caller
    provider: str  # the seller in the price book
    labels: Mapping[str, str]
    need: Need
    parent_id: str | None = None  # of the allocation that it is a part of
    note: str | None = None  # said to the model when the part kept for the end is opened
    clamps: bool = True  # whether less output than wanted will do
    grows: bool | None = None  # a hold that grows with a stream; `None`: as policy or setting say
    wait_seconds: float | None = None
    count: Count | None = None  # the provider's own free count of the input
    need_of: NeedOf | None = None  # of the same request, were another model to answer

    @property
    def owner(self) -> str:
        """Whose conversation it is: the run's, else the key's."""
        return self.labels.get("run") or self.caller.key_id


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may be made: as which model, with how much output, on which grant."""

    call: Call
    grant: Grant
    model: str
    input_tokens: int  # its bound
    max_output: int | None  # per answer, to be sent upstream; `None`: it produces none
    clamped_from: int | None = None  # per answer, where it is less than was wanted
    landing: bool = False  # the note must be said
    grows: bool = False  # the hold covers only the beginning of the output
    hides_output: bool = False  # a stream of that model does not show all that it makes
    says_output: bool = True  # whether a maximum goes upstream: not where the model's is unknown

    @property
    def is_swapped(self) -> bool:
        """Whether another model answers than was asked for."""
        return self.model != self.call.need.model
