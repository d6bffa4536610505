"""May a call be made? Bounded first by what is cheap to know, then by what is tight."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tekton_budget.domain.allocation import OnExpiry
from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.call import note_tokens
from tekton_budget.domain.errors import invalid
from tekton_budget.service.asks import Ask
from tekton_budget.service.calls.call import Admitted, Call
from tekton_budget.service.calls.ceilings import Ceiling, Ceilings
from tekton_budget.service.calls.ending import Endings
from tekton_budget.service.calls.growing import Growth
from tekton_budget.service.calls.measured import Measured
from tekton_budget.service.calls.terms import Terms, TermsOf
from tekton_budget.service.ledger import LedgerVerbs
from tekton_budget.storage.clock import host_now_us
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.writer import Writer

LIFETIME_SECONDS = 120
OUTPUT_UNKNOWN = 16_384  # the most that is sent upstream where nobody knows the model's maximum
COUNT_FROM = 200  # tokens of input: a bound of fewer is tight enough
LEARN_FROM = 500
LANDING_COMFORT = 4096  # output tokens: with fewer before it, the kept part is opened
_LEAST_SHARE = 20  # text never has more bytes a token than a provider's count lets us hope for


@dataclass(frozen=True, slots=True)
class CallRules:
    """What settings say of calls."""

    wait_seconds: float = 10
    grows: bool = False
    output_tokens: int | None = None
    min_grant: int = 16
    slice_tokens: int = 256
    margin_tokens: int = 64


@dataclass(frozen=True, slots=True)
class _Size:
    """One way to make a call: as which model, with which bounds."""

    model: str
    input_tokens: int
    output: int | None  # per answer; `None`: it produces none
    named: bool  # whether the client named the maximum
    ceiling: Ceiling
    guessed: bool = False  # whether a context window stands for a maximum that nobody knows


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

        Asked for whole first. If that does not fit: with the input as it was measured or as the
        provider counts it, then as the next model of the ladder, then with less output, and at
        last with the part that is kept for the end.
        """
        labels = call.caller.labelled(call.labels)
        terms = self._terms.find(
            self._writer.cache.policies,
            call.caller,
            {**labels, "provider": call.provider, "model": call.need.model},
            host_now_us(),
        )
        size = self._size(call, call.need.model, terms)
        grows = self._grows(call, terms)
        if self._may_try_more(call, terms):
            answer = await self._ask(call, size, grows=grows, last=False)
            if isinstance(answer, Admitted):
                return answer
            size = await self._tightened(call, size)
            for step in self._steps(call, terms, size):
                answer = await self._ask(call, step, grows=grows, last=False)
                if isinstance(answer, Admitted):
                    return answer
        return await self._pressed(call, terms, size, grows=grows)

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
        boundaries = admitted.call.need.boundaries
        if boundaries:
            owner = (admitted.call.owner, admitted.call.provider, admitted.model)
            self._measured.learn(owner, boundaries[-1], input_tokens)

    # Sizes --------------------------------------------------------------------------------------

    def _size(self, call: Call, model: str, terms: Terms) -> _Size:
        need, book = call.need, self._writer.cache.book
        if not len(book):
            book = self._reader.book()
        ceiling = self._ceilings.of(book, call.provider, model, host_now_us())
        tokens = need.input_tokens
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
            return _Size(model, tokens, None, named=False, ceiling=ceiling)
        named = need.max_output is not None
        output = need.max_output
        if output is None:
            most = ceiling.output_tokens or ceiling.context_tokens or OUTPUT_UNKNOWN
            said = [one for one in (terms.output_tokens, self.rules.output_tokens) if one]
            output = max(min([most, *said]), need.min_output)
        guessed = ceiling.output_tokens is None and ceiling.context_tokens == output and not named
        return _Size(model, tokens, output, named=named, ceiling=ceiling, guessed=guessed)

    async def _tightened(self, call: Call, size: _Size) -> _Size:
        """With the tightest bound of the input that can be had; only where it may change much."""
        if size.input_tokens < COUNT_FROM or call.need.window:
            return size
        owner = (call.owner, call.provider, size.model)
        bound = self._measured.bound(owner, call.need.boundaries, size.input_tokens)
        if bound is not None and bound < size.input_tokens:
            return replace(size, input_tokens=bound)
        if call.count is None or not await self._might_fit(call, size):
            return size
        counted = await call.count()
        if counted is None or counted >= size.input_tokens:
            return size
        return replace(size, input_tokens=counted)

    async def _might_fit(self, call: Call, size: _Size) -> bool:
        """Whether the shortest input that the text can be would fit with the least output."""
        least = replace(size, input_tokens=size.input_tokens // _LEAST_SHARE)
        ask = self._worded(call, least, call.need.min_output, fit="all")
        answer = await self.ledger.allocate(call.caller, ask, dry_run=True)
        return isinstance(answer, Grant)

    def _steps(self, call: Call, terms: Terms, size: _Size) -> Iterator[_Size]:
        """The ways to try whole: the tighter bound, then the models of the ladder."""
        if size.input_tokens < call.need.input_tokens:
            yield size
        for model in terms.ladder:
            if model == call.need.model:
                continue
            step = self._size(call, model, terms)
            if step.ceiling.wants is None or call.need.wants <= step.ceiling.wants:
                yield replace(step, input_tokens=min(step.input_tokens, call.need.input_tokens))

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
        self, call: Call, terms: Terms, size: _Size, *, grows: bool
    ) -> Admitted | Denial:
        """With less output, after waiting for others' holds; at last with the kept part."""
        until = time.monotonic() + self._wait(call)
        if not terms.lands:
            return await self._ask(call, size, grows=grows, last=True, until=until)
        before = await self._ask(
            call, size, grows=grows, last=False, until=until, least=LANDING_COMFORT
        )
        if isinstance(before, Admitted):
            return before
        note = 0 if call.note is None else note_tokens(call.note)
        landing = replace(size, input_tokens=size.input_tokens + note)
        return await self._ask(call, landing, grows=grows, last=True, until=until, landing=True)

    def _wait(self, call: Call) -> float:
        return self.rules.wait_seconds if call.wait_seconds is None else call.wait_seconds

    async def _ask(
        self,
        call: Call,
        size: _Size,
        *,
        grows: bool,
        last: bool,
        until: float | None = None,
        least: int | None = None,
        landing: bool = False,
    ) -> Admitted | Denial:
        need, wanted = call.need, size.output
        first = wanted
        if grows and wanted is not None:
            first = min(wanted, self.rules.slice_tokens + self.rules.margin_tokens)
        # A clamp to the whole is whole or nothing, and waits for holds alone, never for money.
        clamps = call.clamps and until is not None
        fewest = self._least(call, first, least) if clamps else (first or 0) * need.answers
        ask = self._worded(
            call,
            size,
            first,
            fit="all" if until is None else "clamp",
            least=None if until is None else fewest,
            landing=landing,
            quiet=not last,
        )
        wait = 0.0 if until is None else max(0.0, until - time.monotonic())
        answer = await self.ledger.allocate(call.caller, ask, wait_seconds=wait)
        if isinstance(answer, Denial):
            return answer
        sent = wanted
        if grows and (answer.max_output_tokens or 0) < (first or 0) * need.answers:
            grows = False  # not even the first slice: what there is is what it may use
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
            wanted if sent != wanted and size.named else None,
            landing=landing,
            grows=grows,
            says_output=not all_of_it,
        )

    def _least(self, call: Call, first: int | None, least: int | None) -> int:
        """The fewest output tokens, of all answers, that are worth a call."""
        need = call.need
        fewest = max(self.rules.min_grant, need.min_output)
        if least is not None and first is not None:
            fewest = max(fewest, min(least, first // 2))
        return min(fewest, first or fewest) * need.answers

    def _worded(
        self,
        call: Call,
        size: _Size,
        output: int | None,
        *,
        fit: str,
        least: int | None = None,
        landing: bool = False,
        quiet: bool = False,
    ) -> Ask:
        need = call.need
        return Ask(
            labels={**call.labels, "provider": call.provider, "model": size.model},
            input_tokens=size.input_tokens,
            max_output_tokens=(output or 0) * need.answers,
            units=dict(need.units),
            context={name: said for name, said in need.context._asdict().items() if said},
            cache_write=need.cache_write,
            fit=fit,
            min_grant=least,
            lifetime_seconds=LIFETIME_SECONDS,
            on_expiry=OnExpiry.CHARGE.value,
            landing="may" if landing else "no",
            quiet=quiet,
            parent_id=call.parent_id,
        )
