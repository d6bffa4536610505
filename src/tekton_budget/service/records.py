"""Usage records: listed, found by id and streamed, as far as a key may see them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import NotFound
from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.price import nano_half_even
from tekton_budget.domain.scope import checked_labels
from tekton_budget.service.paging import LIMIT_MAX, Page, Slice, cursor_place, cursor_text
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.usages import Place, StoredUsage, UsageFilter, UsageRows


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

    def _views(self, found: "tuple[StoredUsage, ...] | list[StoredUsage]") -> Iterator[RecordView]:
        book = self._reader.book()
        for _, record in found:
            priced = [
                price
                for price in book.history(record.provider or "", record.model or "")
                if price.price_id == record.price_id
            ]
            if not priced or record.cost_nano is None or record.cost_nano != record.book_cost_nano:
                yield RecordView(record)
                continue
            output = nano_half_even(record.counts.output * priced[0].output_atto)
            output = min(output, record.cost_nano)
            yield RecordView(record, record.cost_nano - output, output)


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
