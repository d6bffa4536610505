"""What happened, from a position on."""

from collections.abc import Sequence

from tekton_budget.face.request import Json, Request, given, got, verb


class FollowingVerbs:
    """The log of events."""

    @verb
    def events(
        self,
        after: int | None = None,
        *,
        types: Sequence[str] | str = (),
        limit: int | None = None,
    ) -> Request[Json]:
        """Events after a position, the oldest first; go on with `after=` the answer's `next`."""
        words = types if isinstance(types, str) else ",".join(types)
        return got("events", "/events", query=given(after=after, type=words or None, limit=limit))
