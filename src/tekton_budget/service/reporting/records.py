"""Usage records: listed, found by id and streamed, as far as a key may see them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import NotFound
from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.price import PriceBook, Unpriced, nano_half_even, units_of
from tekton_budget.domain.scope import checked_labels
from tekton_budget.domain.units import KIND_OF_UNIT, Part
from tekton_budget.service.paging import LIMIT_MAX, Page, Slice, cursor_place, cursor_text
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.sums import UsageSums
from tekton_budget.storage.rows.usages import Place, StoredUsage, UsageFilter, UsageRows

SPLIT_MAX = 500


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which usage is asked for; `provider` and `model` are those that really answered."""

    from_us: int | None = None
    to_us: int | None = None
    allocation_id: str | None = None
    context_id: str | None = None
    component: str | None = None
    provider: str | None = None
    model: str | None = None
    task_type: str | None = None
    key_id: str | None = None
    labels: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record, and what of its cost is for input and what for output, where the book knows."""

    record: UsageRecord
    input_cost_nano: int | None = None
    output_cost_nano: int | None = None


class Records:
    """The usage that a key may see."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows = UsageRows(reader)
        self._sums = UsageSums(reader)

    def listed(
        self, caller: Caller, query: UsageQuery, part: Slice | None = None
    ) -> Page[RecordView]:
        """Newest first."""
        part = part if part is not None else Slice()
        wanted = usage_filter(caller, query)
        after = cursor_place(part.after, Place)
        if wanted is None:
            return Page((), 0, part.page, part.limit)
        found = self._rows.walk(wanted, limit=part.wanted, after=after)
        total = None
        if len(found) == part.wanted or after is not None:
            total = self._rows.count(wanted)
        last = part.last(found)
        page = part.cut(found, None if last is None else cursor_text(last.place), total)
        views = tuple(self._views(page.items))
        return Page(views, page.total, page.page, page.limit, page.next)

    def one(self, caller: Caller, record_id: str) -> RecordView:
        """By id: the key's own before those of others that it may see."""
        seen = [r for r in self._rows.by_id(record_id) if caller.sees(r.labels)]
        seen.sort(key=lambda record: record.key_id != caller.key_id)
        if not seen:
            raise NotFound(
                f"There is no usage record {record_id!r} for this key: check the id and the key.",
                code="record_not_found",
            )
        return next(self._views([StoredUsage(0, seen[0])]))

    def stream(
        self, caller: Caller, query: UsageQuery, *, limit: int = LIMIT_MAX
    ) -> Iterator[tuple[RecordView, ...]]:
        """All of them in the order of time, page by page; nothing is held between two pages."""
        wanted = usage_filter(caller, query)
        if wanted is None:
            return
        for page in self._rows.pages(wanted, limit):
            yield tuple(self._views(page))

    def split(self, caller: Caller, query: UsageQuery) -> tuple[int, int] | None:
        """What all of them cost for input and for output, in 10⁻⁹ USD.

        `None` where one does not tell, or where the interval has too many records, of whatever
        labels, to be looked at one by one.
        """
        every = self._sums.by(UsageFilter(query.from_us, query.to_us), ())[0].sums
        if sum(sums.records for sums in every.values()) > SPLIT_MAX:
            return None
        input_nano = output_nano = 0
        for page in self.stream(caller, query):
            for view in page:
                if view.input_cost_nano is None or view.output_cost_nano is None:
                    return None
                sign = 1 if view.record.reverses is None else -1
                input_nano += sign * view.input_cost_nano
                output_nano += sign * view.output_cost_nano
        return input_nano, output_nano

    def _views(self, found: "tuple[StoredUsage, ...] | list[StoredUsage]") -> Iterator[RecordView]:
        book = self._reader.book()
        for _, record in found:
            if record.cost_nano is None or record.cost_nano != record.book_cost_nano:
                yield RecordView(record)
                continue
            output = _output_nano(book, record)
            if output is None:
                yield RecordView(record)
                continue
            output = min(output, record.cost_nano)
            yield RecordView(record, record.cost_nano - output, output)


def _output_nano(book: PriceBook, record: UsageRecord) -> int | None:
    """What of the cost is for the answer, by the card that was charged by."""
    card = book.charged_by(
        record.price_id or "",
        record.provider,
        record.model or "",
        valid_us=record.placed_us,
        known_us=record.recorded_us,
    )
    if card is None or any(part.model not in (None, record.model) for part in record.parts):
        return None  # steps of other models have cards of their own
    grains = 0
    for part in record.parts or (Part(units_of(record.counts)),):
        try:
            charge = card.charge(part.units, part.context, at_us=record.placed_us)
        except Unpriced:
            return None
        grains += sum(
            one.grains for one in charge.components if KIND_OF_UNIT.get(one.unit) == "output"
        )
    return nano_half_even(grains)


def usage_filter(caller: Caller, query: UsageQuery) -> UsageFilter | None:
    """The filter of what is asked for within what the key may see; `None` if that is nothing."""
    named = {"context_id": query.context_id, "component": query.component}
    named |= {"task_type": query.task_type}
    labels = checked_labels({**query.labels, **{k: v for k, v in named.items() if v is not None}})
    for name, value in caller.labels.items():
        if labels.setdefault(name, value) != value:
            return None
    return UsageFilter(
        query.from_us,
        query.to_us,
        query.allocation_id,
        query.key_id,
        query.provider,
        query.model,
        labels,
    )
