"""A provider's own response, taken in: what is on no bill is left out before it goes further."""

import hashlib

import msgspec

from tekton_budget.domain.errors import FieldFault, InvalidInput, invalid
from tekton_budget.domain.metering import context_of, slimmed
from tekton_budget.domain.usage import Response
from tekton_budget.service.asking.asks import Used

_AMOUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "tokens",
    "reasoning_tokens",
)
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string").encode


def response_of(used: Used) -> Response | None:
    """The response to read, without its texts; refuses amounts beside it, and a bad context."""
    if used.response is None:
        for name in ("api", "context"):
            if getattr(used, name):
                raise invalid(name, "tells how to read a response: send it with one")
        return None
    doubled = [name for name in _AMOUNTS if getattr(used, name)]
    if doubled:
        text = "is read from the response: send the response or the amounts, not both"
        raise InvalidInput(f"{doubled[0]}: {text}", *(FieldFault(one, text) for one in doubled))
    context_of(used.context)
    return Response(slimmed(used.response), used.api, used.context)


def told_of(used: Used | None, response: Response | None) -> object:
    """What a retry must tell again. A response is known by its digest: its words are not kept."""
    if used is None or response is None:
        return used
    told = {name: getattr(used, name) for name in Used.__dataclass_fields__}
    return told | {"response": hashlib.sha256(_canonical(response.body)).hexdigest()}
