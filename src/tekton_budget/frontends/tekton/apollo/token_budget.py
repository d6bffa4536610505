"""Apollo's `TokenBudgetManager` over the ledger: the same calls, and limits that hold.

Its state is the ledger's: policies, allocations and usage are the same in every process, and
outlive it. Methods that are plain in Apollo wait for the ledger; `allocate_budget` waits beside its
event loop.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tekton_budget.domain.errors import BudgetError, Conflict, Forbidden, InvalidInput, invalid
from tekton_budget.face.budget import Budget
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.face.request import Labels, new_id
from tekton_budget.frontends.tekton.apollo import clock, tiers
from tekton_budget.frontends.tekton.apollo.allocations import Allocations, Held, labels_of
from tekton_budget.frontends.tekton.apollo.callbacks import Callbacks
from tekton_budget.frontends.tekton.apollo.changing import Changing
from tekton_budget.frontends.tekton.apollo.keeping import Keeping
from tekton_budget.frontends.tekton.apollo.models import (
    BudgetAllocation,
    BudgetPeriod,
    BudgetPolicy,
    BudgetSummary,
    BudgetTier,
    BudgetUsageRecord,
    Metadata,
)
from tekton_budget.frontends.tekton.apollo.passed import Event, Passed
from tekton_budget.frontends.tekton.apollo.policies import Policies
from tekton_budget.frontends.tekton.apollo.summaries import Summaries
from tekton_budget.frontends.tekton.apollo.usage import UNKNOWN, post, records

logger = logging.getLogger(__name__)

# Why a call may not be made, beside a limit: a limit in money that nobody can hold it to.
NOT_ALLOWED = frozenset({"unknown_price", "amount_needed", "no_policy"})


class TokenBudgetManager(tiers.Tiers):
    """Token budgets of contexts. Safe to share between threads; each process may have its own."""

    DEFAULT_LIMITS = tiers.DEFAULT_LIMITS
    DEFAULT_ALLOCATIONS = tiers.DEFAULT_ALLOCATIONS

    def __init__(
        self,
        data_dir: str | None = None,
        policy_file: str | None = None,
        cleanup_interval: float = 3600.0,
        *,
        budget: Budget | None = None,
        url: str | None = None,
        database_url: str | None = None,
        key: str | None = None,
        labels: Labels | None = None,
    ) -> None:
        """Over `budget`, or what `tekton_budget.open(url, database_url=…, key=…, labels=…)` opens.

        Without any of these: the server at `BUDGET_URL`, else the database of the settings. The
        files of Apollo are only read, once: where the ledger has no budget `apollo` yet, it is made
        with the policies of `policy_file`, else with the nine default ones.
        """
        super().__init__()
        self.data_dir = data_dir or _usual_folder()
        self.policy_file = policy_file or os.path.join(self.data_dir, "budget_policies.json")  # noqa: PTH118  (text, as Apollo's)
        self.cleanup_interval = cleanup_interval
        self.pending_allocations: list[Any] = []
        self.cleanup_task: asyncio.Task[None] | None = None
        self.is_running = False
        self.budget = budget or _opened(url, database_url, key, labels)
        self._is_own = budget is None
        self._told = Callbacks()
        self._policies = Policies(self.budget)
        self._allocations = Allocations(self.budget)
        self._passed = Passed(self.budget, self._policies)
        self._summaries = Summaries(self.budget, self._policies, self._allocations)
        self._keeping = Keeping(self.budget, self._allocations, self.record_usage)
        self._load_policies()

    # What it is made of -----------------------------------------------------------------------

    @property
    def allocations(self) -> dict[str, BudgetAllocation]:
        """By context: those that hold, and those known here that were not cleaned up."""
        return self._keeping.all()

    @property
    def policies(self) -> dict[str, BudgetPolicy]:
        """By id, in the order of their making."""
        return self._policies.all()

    @property
    def usage_records(self) -> list[BudgetUsageRecord]:
        """The latest thousand of all processes, oldest first."""
        return records(self.budget)

    @property
    def callbacks(self) -> dict[str, list[Callable[..., Any]]]:
        """By event."""
        return self._told.registered

    # Life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Clean up now and every `cleanup_interval` seconds, until `stop`."""
        if self.is_running:
            logger.warning("Budget management is already running")
            return
        self.is_running = True
        self._told.loop = asyncio.get_running_loop()
        await self._clean_up()
        self.cleanup_task = asyncio.create_task(self._cleaning_up())

    async def stop(self) -> None:
        """Clean up no more. There is nothing to save: the ledger has it."""
        if not self.is_running:
            logger.warning("Budget management is not running")
            return
        self.is_running = False
        task, self.cleanup_task = self.cleanup_task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def close(self) -> None:
        """Let go of connections or of the database, if they were opened here."""
        if self._is_own:
            self.budget.close()

    async def _cleaning_up(self) -> None:
        while True:
            await asyncio.sleep(self.cleanup_interval)
            await self._clean_up()

    async def _clean_up(self) -> None:
        try:
            expired = await asyncio.to_thread(self._keeping.clean_up)
        except BudgetError as error:
            logger.warning("Allocations were not cleaned up, and will be later: %s", error)
            return
        for allocation in expired:
            self._told.tell("on_allocation_expired", allocation)

    # Allocations ------------------------------------------------------------------------------

    async def allocate_budget(  # noqa: PLR0913, PLR0917  (Apollo's)
        self,
        context_id: str,
        component: str,
        task_type: str = "default",
        provider: str | None = None,
        model: str | None = None,
        priority: int = 5,
        token_count: int | None = None,
        expiration: datetime | None = None,
        metadata: Metadata | None = None,
    ) -> BudgetAllocation | None:
        """Hold tokens for a context, in the place of what it held; `None` if a limit is in the way.

        Without `token_count` as many as its task type and priority get. Without `expiration` for a
        day. A priority of 10 passes a hard limit only where its policy says so (`bypass_priority`)
        and the key may ask with it.
        """
        wanted = BudgetAllocation(
            allocation_id=new_id(),
            context_id=context_id,
            component=component,
            tier=self.tier_of(component, provider, model),
            provider=provider,
            model=model,
            task_type=task_type,
            priority=priority,
            tokens_allocated=tiers.size_of(task_type, priority)
            if token_count is None
            else token_count,
            creation_time=clock.local_now(),
            expiration_time=expiration,
            metadata=metadata or {},
        )
        if not wanted.context_id:
            raise invalid("context_id", "name the context")
        if wanted.tokens_allocated < 0:
            raise invalid("token_count", "send 0 or more")
        if wanted.is_expired:
            raise invalid("expiration", "is over already: send a time to come")
        allocation, events = await asyncio.to_thread(self._taken, wanted)
        self._tell(events)
        if allocation is not None:
            self._told.tell("on_allocation_created", allocation)
        return allocation

    def _taken(self, wanted: BudgetAllocation) -> tuple[BudgetAllocation | None, list[Event]]:
        labels = labels_of(wanted)
        try:
            held, answer = self._allocations.take(wanted)
        except BudgetExceeded as denial:
            logger.warning("No allocation for context %s: %s", wanted.context_id, denial)
            return None, self._passed.by_denial(denial)
        except (InvalidInput, Forbidden) as refusal:
            if refusal.code not in NOT_ALLOWED:
                raise
            logger.warning("No allocation for context %s: %s", wanted.context_id, refusal)
            return None, []
        return self._keeping.seen(held), self._passed.by_answer(answer, labels)

    def record_usage(
        self,
        context_id: str,
        tokens: int,
        usage_type: str = "total",
        operation_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> int:
        """Post usage to a context's allocation, all of it; how many tokens were recorded.

        What goes beyond the allocation, or comes after its end, is recorded too: it was used. 0
        where the context never had an allocation, or for no tokens.
        """
        held = self._allocations.of_context(context_id)
        if held is None:
            logger.warning("No allocation for context %s, so its usage is nobody's", context_id)
            return 0
        if tokens <= 0:
            return 0
        held = self._going_on(held)
        words = held.in_words()
        record = BudgetUsageRecord(
            record_id=new_id(),
            allocation_id=words.allocation_id,
            context_id=context_id,
            component=words.component,
            provider=words.provider or UNKNOWN,
            model=words.model or UNKNOWN,
            task_type=words.task_type,
            tokens_used=tokens,
            usage_type=usage_type,
            operation_id=operation_id,
            metadata=metadata or {},
        )
        answer = post(self.budget, held, record).answer
        self._tell(self._passed.by_answer(answer, labels_of(words)))
        allocation = self.get_allocation(context_id)
        if allocation is not None and held.holds:
            self._told.tell("on_allocation_updated", allocation)
        return record.tokens_used

    def _going_on(self, held: Held) -> Held:
        """A long one, kept alive; one that nobody kept alive in time holds anew, if it may.

        What it used is a fact: it is recorded whatever becomes of the hold.
        """
        try:
            if held.is_interrupted:
                changing = Changing(self.budget, self._allocations, held)
                held = changing.change(None, None, is_active=True)
            elif held.holds:
                self._keeping.keep_alive(held)
        except (InvalidInput, Forbidden, Conflict) as refusal:
            logger.warning("Allocation %s holds no longer: %s", held.id, refusal)
        return held

    def get_allocation(self, context_id: str) -> BudgetAllocation | None:
        """The latest one of a context, until it was cleaned up; `None` if there is none."""
        held = self._allocations.of_context(context_id)
        return None if held is None else self._keeping.seen(held)

    def update_allocation(
        self,
        context_id: str,
        additional_tokens: int | None = None,
        extend_expiration: timedelta | None = None,
        is_active: bool | None = None,  # noqa: FBT001  (Apollo's)
    ) -> BudgetAllocation | None:
        """Hold more, or longer, or give back (`is_active=False`), or take up again (`True`).

        What a limit does not let it have more it does not get: the allocation is answered as it is.
        """
        held = self._allocations.of_context(context_id)
        if held is None or self._keeping.seen(held) is None:
            logger.warning("No allocation for context %s", context_id)
            return None
        changing = Changing(self.budget, self._allocations, held)
        held = changing.change(additional_tokens, extend_expiration, is_active=is_active)
        for denial in changing.denials:
            logger.warning("No more for the allocation of context %s: %s", context_id, denial)
            self._tell(self._passed.by_denial(denial))
        allocation = self._keeping.seen(held)
        self._told.tell("on_allocation_updated", allocation)
        return allocation

    # Summaries and callbacks ------------------------------------------------------------------

    def get_budget_summary(
        self,
        tier: BudgetTier | None = None,
        period: BudgetPeriod = BudgetPeriod.DAILY,
        component: str | None = None,
        task_type: str | None = None,
    ) -> list[BudgetSummary]:
        """Each tier that has a policy for the period: used in its window, by whatever program.

        `total_allocated` is of what holds now. Of sessions and tasks the fullest is summed up.
        """
        return self._summaries.of(tier, period, component, task_type)

    def register_callback(self, event_type: str, callback: Callable[..., Any]) -> None:
        """Be told of an event: `on_allocation_created`, `…_updated`, `…_expired`,
        `on_budget_exceeded` (policy, tokens used) or `on_policy_updated`.
        """
        self._told.register(event_type, callback)

    def _tell(self, events: list[Event]) -> None:
        for event, *facts in events:
            self._told.tell(event, *facts)

    # Policies ---------------------------------------------------------------------------------

    def add_policy(self, policy: BudgetPolicy) -> str:
        """Make a policy, or change the one of its id; its metadata may name `bypass_priority`."""
        self._policies.put(policy)
        self._told.tell("on_policy_updated", policy)
        return policy.policy_id

    def get_policy(self, policy_id: str) -> BudgetPolicy | None:
        """By id; `None` if there is none."""
        return self._policies.find(policy_id)

    def update_policy(self, policy_id: str, **kwargs: Any) -> BudgetPolicy | None:
        """Change what is named; what a policy does not have is passed over."""
        policy = self._policies.find(policy_id)
        if policy is None:
            logger.warning("No policy with ID %s", policy_id)
            return None
        for name, value in kwargs.items():
            if name in BudgetPolicy.model_fields and name != "policy_id":
                setattr(policy, name, value)
        self._policies.put(policy)
        self._told.tell("on_policy_updated", policy)
        return policy

    def delete_policy(self, policy_id: str) -> bool:
        """Stop counting by it; whether it was there."""
        if self._policies.end(policy_id):
            return True
        logger.warning("No policy with ID %s", policy_id)
        return False

    def _load_policies(self) -> None:
        """Those of the ledger; where it has no budget of Apollo's, begin with a file's or nine."""
        if self._policies.exist():
            return
        try:
            self._policies.begin(self._file())
        except Forbidden as refusal:
            logger.warning("The limits are those of the server: %s", refusal)

    def _file(self) -> bytes | None:
        try:
            return Path(self.policy_file).read_bytes()
        except FileNotFoundError:
            return None


def _usual_folder() -> str:
    root = os.environ.get("TEKTON_ROOT") or os.path.expanduser("~")  # noqa: PTH111  (text, as Apollo's)
    data = os.environ.get("TEKTON_DATA_DIR") or os.path.join(root, ".tekton", "data")  # noqa: PTH118  (text, as Apollo's)
    return os.path.join(data, "apollo", "budget_data")  # noqa: PTH118  (text, as Apollo's)


def _opened(
    url: str | None, database_url: str | None, key: str | None, labels: Labels | None
) -> Budget:
    from tekton_budget.library import open as opened

    return opened(url, database_url=database_url, key=key, labels=labels)
