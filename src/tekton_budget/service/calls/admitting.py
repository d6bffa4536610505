"""May a call be made? Bounded first by what is cheap to know, then by what is tight."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from tekton_budget.domain.allocation import OnExpiry
from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.call import Need, note_tokens
from tekton_budget.domain.errors import InvalidInput, invalid
from tekton_budget.service.asking.asks import Ask
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.calls.call import Admitted, Call
from tekton_budget.service.calls.ceilings import Ceiling, Ceilings
from tekton_budget.service.calls.ending import LIFETIME_SECONDS, Endings
from tekton_budget.service.calls.growing import Growth
from tekton_budget.service.calls.measured import Measured
from tekton_budget.service.calls.terms import Terms, TermsOf
from tekton_budget.storage.clock import host_now_us
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.writer import Writer

OUTPUT_UNKNOWN = 16_384  # the most that is sent upstream where nobody knows the model's maximum
LEARN_FROM = 500
_LEAST_SHARE = 20  # text never has more bytes a token than a provider's count lets us hope for


class _Enough(NamedTuple):
    """The fewest output tokens that will do: so many, or that part of what is wanted."""

    tokens: int
    part: int  # 2 is a half

    def of(self, wanted: int) -> int:
        """For a call that wants so many."""
        return min(self.tokens, -(-wanted // self.part))


ALL = _Enough(2**31, 1)
GOOD = _Enough(4096, 2)  # most answers are shorter; for more no other is kept waiting
SOME = _Enough(1024, 32)  # fewer are not taken while holds are in the way, for these come back
ANY = _Enough(0, 1)


@dataclass(frozen=True, slots=True)
class CallRules:
    """What settings say of calls."""

    wait_seconds: float = 10
    grows: bool = False
    output_tokens: int | None = None
    min_grant: int = 16
    slice_tokens: int = 1024
    margin_tokens: int = 64


@dataclass(frozen=True, slots=True)
class _Size:
    """One way to make a call: as which model, with which bounds."""

    model: str
    need: Need  # of that model: pictures, templates and caches differ
    input_tokens: int
    output: int | None  # per answer; `None`: it produces none
    named: bool  # whether the client named the maximum
    ceiling: Ceiling
    guessed: bool = False  # whether a context window stands for a maximum that nobody knows
    is_counted: bool = False  # by the provider, or it was asked in vain


class _Way(NamedTuple):
    """How a call is asked for, whatever its size."""

    grows: bool
    until: float  # it waits, by the monotonic clock
    landing: bool = False  # the note is said, so the part that is kept may be used


class Calls:
    """Asks the ledger on behalf of clients that know nothing of allocations."""

    def __init__(
        self, ledger: LedgerVerbs, writer: Writer, reader: Reader, rules: CallRules | None = None
    ) -> None:
        self.ledger = ledger
        self.rules = rules or CallRules()
        self._writer = writer
        self._reader = reader
        self._ceilings = Ceilings()
        self._measured = Measured()
        self._terms = TermsOf()
        self.endings = Endings(ledger)

    async def admit(self, call: Call) -> Admitted | Denial:
        """The leave to make a call, or the denial; refuses what cannot be bounded.

        Asked for whole first. If that does not fit: with the input as it was measured, with a
        good part of the output, with the input as the provider counts it, as the next model of
        the ladder, and then with what there is, waiting for holds that are in the way.
        """
        labels = call.caller.labelled(call.labels)
        terms = self._terms.find(
            self._writer.cache.policies,
            call.caller,
            {**labels, "provider": call.provider, "model": call.need.model},
            host_now_us(),
        )
        size = self._size(call, call.need.model, terms)
        way = _Way(self._grows(call, terms), time.monotonic() + self._wait(call))
        if self._may_try_more(call, terms):
            answer = await self._ask(call, size, way)
            if isinstance(answer, Admitted):
                return answer
            found, size = await self._tightened(call, terms, size, way)
            if found is not None:
                return found
            found = await self._swapped(call, terms, way)
            if found is not None:
                return found
        if terms.lands:
            answer, size = await self._pressed(call, size, way, is_last=False)
            if isinstance(answer, Admitted) or answer.blocked_on == "held":
                return answer
            note = 0 if call.note is None else note_tokens(call.note)
            size = replace(size, input_tokens=size.input_tokens + note)
            way = way._replace(landing=True)
        answer, _ = await self._pressed(call, size, way, is_last=True)
        return answer

    def growth(self, admitted: Admitted) -> Growth | None:
        """What makes the hold of a stream grow; `None`: it holds all of its output already."""
        if not admitted.grows:
            return None
        return Growth(
            self.ledger,
            admitted,
            slice_tokens=self.rules.slice_tokens,
            margin_tokens=self.rules.margin_tokens,
        )

    def learn(self, admitted: Admitted, input_tokens: int | None) -> None:
        """A provider counted the input of a call: the next one that goes on from it is bounded."""
        if input_tokens is None or admitted.input_tokens < LEARN_FROM or admitted.landing:
            return
        if admitted.call.need.rounds > 1:
            return
        boundaries = admitted.call.need.boundaries
        if boundaries:
            owner = (admitted.call.owner, admitted.call.provider, admitted.model)
            self._measured.learn(owner, boundaries[-1], input_tokens)

    # Sizes --------------------------------------------------------------------------------------

    def _size(self, call: Call, model: str, terms: Terms) -> _Size:
        need, book = call.need, self._writer.cache.book
        if model != need.model and call.need_of is not None:
            need = call.need_of(model)
        if not len(book):
            book = self._reader.book()
        ceiling = self._ceilings.of(book, call.provider, model, host_now_us())
        tokens = need.input_tokens if need.window else need.rounds * need.input_tokens
        if not need.window and need.rounds > 1 and ceiling.context_tokens is not None:
            tokens = min(tokens, need.rounds * ceiling.context_tokens)
        if need.window:
            if ceiling.context_tokens is None:
                raise invalid(
                    "model",
                    f"{model!r} is called with what it keeps or finds by itself, so its input may "
                    "fill its context window, whose size is not known here: send all of the input "
                    "with the call, without hosted tools or stored state",
                    code="unmetered_field",
                )
            tokens = max(tokens, need.rounds * ceiling.context_tokens)
        if not need.produces_output:
            return _Size(model, need, tokens, None, named=False, ceiling=ceiling)
        named = need.max_output is not None
        output = need.max_output
        if output is None:
            most = ceiling.output_tokens or ceiling.context_tokens or OUTPUT_UNKNOWN
            said = [one for one in (terms.output_tokens, self.rules.output_tokens) if one]
            output = max(min([most, *said]), need.min_output)
        guessed = ceiling.output_tokens is None and ceiling.context_tokens == output and not named
        return _Size(model, need, tokens, output, named=named, ceiling=ceiling, guessed=guessed)

    async def _tightened(
        self, call: Call, terms: Terms, size: _Size, way: _Way
    ) -> tuple[Admitted | None, _Size]:
        """With tighter bounds of the input, the cheapest to have first; and the tightest."""
        if call.need.window:
            return None, size
        owner = (call.owner, call.provider, size.model)
        rounds = call.need.rounds
        whole = size.input_tokens if rounds == 1 else call.need.input_tokens
        once = self._measured.bound(owner, call.need.boundaries, whole)
        bound = None if once is None else rounds * once
        if bound is not None and bound < size.input_tokens:
            known = self._measured.knows(owner, call.need.boundaries)
            size = replace(size, input_tokens=bound, is_counted=known)
            answer = await self._ask(call, size, way)
            if isinstance(answer, Admitted):
                return answer, size
            if call.clamps and not terms.ladder and not way.grows:
                answer = await self._ask(call, size, way, least=GOOD)  # rather than a question
                if isinstance(answer, Admitted):
                    return answer, size
            if answer.blocked_on == "held":
                return None, size
        counted = await self._counted(call, size)
        if counted.input_tokens == size.input_tokens:
            return None, counted
        answer = await self._ask(call, counted, way)
        return (answer if isinstance(answer, Admitted) else None), counted

    async def _counted(self, call: Call, size: _Size) -> _Size:
        """With the input as the provider counts it; asked at most once, where it may help."""
        if size.is_counted or call.count is None:
            return size
        if call.need.window or not await self._might_fit(call, size):
            return size
        counted = await call.count()
        if counted is None or call.need.rounds * counted >= size.input_tokens:
            return replace(size, is_counted=True)
        if call.need.boundaries:  # whoever was told to come again is not counted again
            owner = (call.owner, call.provider, size.model)
            self._measured.learn(owner, call.need.boundaries[-1], counted)
        return replace(size, input_tokens=call.need.rounds * counted, is_counted=True)

    async def _might_fit(self, call: Call, size: _Size) -> bool:
        """Whether the shortest input that the text can be fits with the least output, or will."""
        least = replace(size, input_tokens=size.input_tokens // _LEAST_SHARE)
        ask = self._worded(call, least, call.need.min_output, fit="all", landing="may")
        answer = await self.ledger.allocate(call.caller, ask, dry_run=True)
        return isinstance(answer, Grant) or answer.blocked_on == "held"

    def _ladder(self, call: Call, terms: Terms) -> Iterator[_Size]:
        """The models that may answer instead."""
        for model in terms.ladder:
            if model == call.need.model:
                continue
            try:
                step = self._size(call, model, terms)
            except InvalidInput:  # of that model it has no bound
                continue
            if step.output is not None and step.ceiling.output_tokens is not None:
                step = replace(step, output=min(step.output, step.ceiling.output_tokens))
            if _may_answer(step):
                yield step

    async def _swapped(self, call: Call, terms: Terms, way: _Way) -> Admitted | None:
        """As the first model of the ladder that it fits; one without a price is passed over."""
        for step in self._ladder(call, terms):
            may_grow = way.grows and not step.need.hidden_output
            try:
                answer = await self._ask(call, step, way._replace(grows=may_grow))
            except InvalidInput:
                continue
            if isinstance(answer, Admitted):
                return answer
        return None

    def _grows(self, call: Call, terms: Terms) -> bool:
        need = call.need
        if not need.stream or need.hidden_output or not need.produces_output:
            return False
        if call.grows is not None:
            return call.grows
        return terms.grows or self.rules.grows

    def _may_try_more(self, call: Call, terms: Terms) -> bool:
        return bool(
            call.count is not None
            or terms.ladder
            or terms.lands
            or call.need.input_tokens >= LEARN_FROM
        )

    # Asks ---------------------------------------------------------------------------------------

    async def _pressed(
        self, call: Call, size: _Size, way: _Way, *, is_last: bool
    ) -> tuple[Admitted | Denial, _Size]:
        """With what there is; for lack of money only once the provider has counted the input."""
        quiet = call.count is not None and not size.is_counted
        answer = await self._squeezed(call, size, way, is_last=is_last, quiet=quiet)
        if quiet and isinstance(answer, Denial):
            if answer.blocked_on != "held":
                size = await self._counted(call, size)
            answer = await self._squeezed(call, size, way, is_last=is_last, quiet=False)
        return answer, size

    async def _squeezed(
        self, call: Call, size: _Size, way: _Way, *, is_last: bool, quiet: bool
    ) -> Admitted | Denial:
        """With less output, after waiting for holds that are in the way.

        A good part is taken at once, and waited for as long as holds alone are in its way; then
        what there is will do, but no crumb, for the holds come back. If this is not the last way,
        only a good part will do where money is in the way.
        """
        if not call.clamps or way.grows:
            answer = await self._ask(call, size, way, least=ALL, waits=True, quiet=quiet)
            if isinstance(answer, Admitted) or not call.clamps or answer.blocked_on == "held":
                return answer  # what is free is for the streams under way, to grow into
            way = way._replace(grows=False)  # what there is is what it may use
        answer = await self._ask(call, size, way, least=GOOD)
        if isinstance(answer, Denial) and answer.blocked_on == "held":
            answer = await self._ask(call, size, way, least=GOOD, waits=True, fair=True)
        if isinstance(answer, Admitted):
            return answer
        held = answer.blocked_on == "held"
        if not is_last and not held:
            return answer
        least = SOME if held else ANY
        return await self._ask(call, size, way, least=least, waits=True, quiet=quiet)

    def _wait(self, call: Call) -> float:
        return self.rules.wait_seconds if call.wait_seconds is None else call.wait_seconds

    async def _ask(
        self,
        call: Call,
        size: _Size,
        way: _Way,
        *,
        least: _Enough | None = None,
        waits: bool = False,
        fair: bool = False,
        quiet: bool = True,
    ) -> Admitted | Denial:
        """`least`: what will do; `None`: all or nothing, now.

        `fair`: no more than twice that is taken, for the sake of others that wait.
        """
        need, wanted, grows = call.need, size.output, way.grows
        first = wanted
        if grows and wanted is not None:
            first = min(wanted, self.rules.slice_tokens + self.rules.margin_tokens)
            least = least and ALL
        if fair and first is not None and least is not None:
            first = min(first, max(2 * least.of(first), need.min_output))
        ask = self._worded(
            call,
            size,
            first,
            headroom=(wanted or 0) - (first or 0) if grows else 0,
            fit="all" if least is None else "clamp",
            least=None if least is None else self._least(call, first or 0, least),
            landing="may" if way.landing else "no",
            quiet=quiet,
        )
        wait = max(0.0, way.until - time.monotonic()) if waits else 0.0
        answer = await self.ledger.allocate(call.caller, ask, wait_seconds=wait)
        if isinstance(answer, Denial):
            return answer
        sent = wanted
        if not grows and wanted is not None and answer.max_output_tokens is not None:
            sent = min(wanted, answer.max_output_tokens // need.answers)
        all_of_it = size.guessed and sent == wanted
        if size.guessed and sent is not None and not all_of_it:
            sent = min(sent, OUTPUT_UNKNOWN)  # what is above a model's own maximum is refused
        return Admitted(
            call,
            answer,
            size.model,
            size.input_tokens,
            sent,
            need.max_output if sent != need.max_output and size.named else None,
            landing=way.landing,
            grows=grows,
            says_output=not all_of_it,
            hides_output=size.need.hidden_output,
        )

    def _least(self, call: Call, first: int, enough: _Enough) -> int:
        """The fewest output tokens, of all answers, that are worth a call."""
        need = call.need
        fewest = max(self.rules.min_grant, need.min_output, enough.of(first))
        return min(fewest, first) * need.answers

    def _worded(
        self,
        call: Call,
        size: _Size,
        output: int | None,
        *,
        fit: str,
        headroom: int = 0,
        least: int | None = None,
        landing: str = "no",
        quiet: bool = True,
    ) -> Ask:
        need = size.need
        return Ask(
            labels={**call.labels, "provider": call.provider, "model": size.model},
            input_tokens=size.input_tokens,
            max_output_tokens=(output or 0) * need.answers,
            units=dict(need.units),
            context={name: said for name, said in need.context._asdict().items() if said},
            cache_write=need.cache_write,
            fit=fit,
            min_grant=least,
            headroom=headroom * need.answers,
            lifetime_seconds=LIFETIME_SECONDS,
            on_expiry=OnExpiry.CHARGE.value,
            landing=landing,
            quiet=quiet,
            parent_id=call.parent_id,
        )


def _may_answer(size: _Size) -> bool:
    """Whether a model has all that a call needs, as far as is known."""
    ceiling, need = size.ceiling, size.need
    least = need.input_tokens + need.min_output
    return (
        (ceiling.wants is None or need.wants <= ceiling.wants)
        and (ceiling.context_tokens is None or least <= ceiling.context_tokens)
        and (size.output is None or size.output >= need.min_output)
    )
