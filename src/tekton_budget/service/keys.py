"""Keys: made, shown once, told apart by their hash, rotated with overlap, revoked."""

import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tekton_budget.domain.caller import MAX_PRIORITY_OF_KEYS, Caller, Role
from tekton_budget.domain.command import AuditNote
from tekton_budget.domain.errors import Conflict, Forbidden, NotFound, Unauthenticated, invalid
from tekton_budget.domain.scope import LABELS_MAX, checked_labels, checked_names
from tekton_budget.service.asking.commands import PRIORITY_MAX, choice, new_id
from tekton_budget.service.asking.retries import Retry, done_before, note_done
from tekton_budget.service.limiting.call_fields import checked_ladder
from tekton_budget.service.limiting.policy_fields import NAME_MAX
from tekton_budget.storage.appending import write_audit
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.keys import (
    Key,
    all_keys,
    insert_key,
    read_keys,
    set_last_used,
    set_revoked,
)
from tekton_budget.storage.writer import Exclusively, Writer

__all__ = ["DAY_US", "Key", "KeyVerbs", "NewKey", "hash_of"]

PREFIX = "tb_live_"
SHOWN = len(PREFIX) + 4
FRESH_US = 1_000_000  # how long a key that was looked up is taken as it was
USED_EVERY_US = 60_000_000
DAY_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, with its secret: the only time it is shown."""

    key: Key
    secret: str


class KeyVerbs:
    """Who may ask. Keys are read at most every second, so a revoked one ends soon."""

    def __init__(self, writer: Writer, reader: Reader, now_us: Callable[[], int]) -> None:
        self._writer = writer
        self._reader = reader
        self._now_us = now_us
        self._by_hash: dict[str, Key] = {}
        self._read_us = 0
        self._used_us: dict[str, int] = {}
        self._lock = threading.Lock()

    def create_key(  # noqa: PLR0913  (a key is what all of this says)
        self,
        caller: Caller,
        name: str,
        *,
        role: str = Role.CLIENT,
        labels: Mapping[str, object] | None = None,
        requires: tuple[str, ...] = (),
        max_priority: int = MAX_PRIORITY_OF_KEYS,
        ladder: Sequence[str] = (),
        takes_user: bool = False,
        expires_in_us: int | None = None,
        secret: str | None = None,
        retry: Retry | None = None,
    ) -> NewKey:
        """A key of a role, with labels that are forced on its calls."""
        _may_manage(caller)
        text = name.strip()
        if not 0 < len(text) <= NAME_MAX or not text.isprintable():
            raise invalid("name", f"send 1 to {NAME_MAX} printable characters")
        if not 0 <= max_priority <= PRIORITY_MAX:
            raise invalid("max_priority", f"send 0 to {PRIORITY_MAX}")
        if expires_in_us is not None and expires_in_us <= 0:
            raise invalid("expires", "send a time ahead, like 90d")
        forced = checked_labels(labels or {})
        required = checked_names("requires", requires, LABELS_MAX)
        models = checked_ladder(ladder)
        chosen = choice("role", Role, role)

        def run(alone: Exclusively) -> NewKey:
            _refuse_again(alone, caller, retry)
            if any(k.name == text and k.is_valid(alone.now_us) for k in all_keys(alone.session)):
                raise Conflict(
                    f"A valid key named {text!r} exists: rotate it, or choose another name.",
                    code="name_taken",
                )
            own = secret or PREFIX + secrets.token_urlsafe(32)
            key = Key(
                key_id=new_id(),
                name=text,
                role=chosen,
                hash=hash_of(own),
                prefix=own[:SHOWN],
                labels=forced,
                requires=required,
                max_priority=max_priority,
                created_us=alone.now_us,
                expires_us=None if expires_in_us is None else alone.now_us + expires_in_us,
                ladder=models,
                takes_user=takes_user,
            )
            insert_key(alone.session, key)
            note_done(alone, caller, retry, {"key_id": key.key_id})
            _audit(alone, caller, "create", key)
            return NewKey(key, own)

        made = self._writer.exclusively(run).result()
        self._forget()
        return made

    def rotate_key(
        self,
        caller: Caller,
        name_or_id: str,
        *,
        overlap_us: int = DAY_US,
        retry: Retry | None = None,
    ) -> NewKey:
        """A new secret for the same name and rights; the old one works on for the overlap."""
        _may_manage(caller)
        if overlap_us < 0:
            raise invalid("overlap", "send 0 or more")

        def run(alone: Exclusively) -> NewKey:
            _refuse_again(alone, caller, retry)
            old = _named(all_keys(alone.session), name_or_id, alone.now_us)
            own = PREFIX + secrets.token_urlsafe(32)
            key = replace(
                old,
                key_id=new_id(),
                hash=hash_of(own),
                prefix=own[:SHOWN],
                created_us=alone.now_us,
                revoked_us=None,
                last_used_us=None,
            )
            insert_key(alone.session, key)
            ends_us = alone.now_us + overlap_us
            if old.revoked_us is not None:
                ends_us = min(ends_us, old.revoked_us)
            set_revoked(alone.session, old.key_id, ends_us)
            note_done(alone, caller, retry, {"key_id": key.key_id})
            _audit(alone, caller, "rotate", key)
            return NewKey(key, own)

        made = self._writer.exclusively(run).result()
        self._forget()
        return made

    def revoke_key(self, caller: Caller, name_or_id: str) -> Key:
        """No longer valid, from now on everywhere within two seconds.

        By name it ends every secret of that name, those too that a rotation left valid for a while.
        """
        _may_manage(caller)

        def run(alone: Exclusively) -> Key:
            keys, now_us = all_keys(alone.session), alone.now_us
            newest = _named(keys, name_or_id, now_us)
            for key in keys:
                if key is newest or (key.name == name_or_id and key.is_valid(now_us)):
                    set_revoked(alone.session, key.key_id, now_us)
                    _audit(alone, caller, "revoke", key)
            return replace(newest, revoked_us=now_us)

        revoked = self._writer.exclusively(run).result()
        self._forget()
        return revoked

    def list_keys(self, caller: Caller) -> list[Key]:
        """Every key with its last use; no secrets."""
        _may_manage(caller)
        return self._read()

    def has_keys(self) -> bool:
        """Whether any key exists that is valid now."""
        now_us = self._now_us()
        return any(key.is_valid(now_us) for key in self._fresh().values())

    def authenticate(self, secret: str) -> Caller:
        """Who a secret stands for; refuses what is unknown, revoked or past its end."""
        now_us = self._now_us()
        hashed = hash_of(secret)
        key = self._fresh().get(hashed)
        if key is None or not key.is_valid(now_us):
            raise Unauthenticated(
                "This key is not known, or no longer valid: check it, or ask for a new one "
                "(tekton-budget keys create NAME).",
                code="key_invalid",
            )
        if now_us - self._used_us.get(key.key_id, key.last_used_us or 0) > USED_EVERY_US:
            self._used_us[key.key_id] = now_us
            self._note_use({key.key_id: now_us})
        return key.caller()

    def caller_of(self, key_id: str, name: str) -> Caller | None:
        """Who stands behind a key that was shown before; once it is rotated, behind its successor.

        `None` where neither is valid any more.
        """
        now_us = self._now_us()
        valid = [key for key in self._fresh().values() if key.is_valid(now_us)]
        own = [key for key in valid if key.key_id == key_id]
        found = own or [key for key in valid if key.name == name]
        return found[0].caller() if found else None

    def _note_use(self, used_us: dict[str, int]) -> None:
        def run(alone: Exclusively) -> None:
            set_last_used(alone.session, used_us)

        self._writer.exclusively(run)

    def _fresh(self) -> dict[str, Key]:
        now_us = self._now_us()
        if not self._is_fresh(now_us):
            with self._lock:
                if not self._is_fresh(now_us):
                    self._by_hash = {key.hash: key for key in self._read()}
                    self._read_us = now_us
        return self._by_hash

    def _is_fresh(self, now_us: int) -> bool:
        """Where the clock was set back, what was read before that is not."""
        return 0 <= now_us - self._read_us <= FRESH_US

    def _read(self) -> list[Key]:
        return read_keys(self._reader)

    def _forget(self) -> None:
        self._read_us = 0


def hash_of(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _named(keys: list[Key], name_or_id: str, now_us: int) -> Key:
    for key in reversed(keys):
        if name_or_id in (key.key_id, key.name) and key.is_valid(now_us):
            return key
    raise NotFound(
        f"There is no valid key {name_or_id!r}: GET /api/v1/keys lists them all.",
        code="key_not_found",
    )


def _refuse_again(alone: Exclusively, caller: Caller, retry: Retry | None) -> None:
    done = done_before(alone, caller, retry)
    if done is not None:
        raise Conflict(
            f"This request made the key {done['key_id']} already, and a secret is shown only once. "
            "If it is lost, rotate the key: tekton-budget keys rotate NAME",
            code="secret_shown_once",
            key_id=done["key_id"],
        )


def _may_manage(caller: Caller) -> None:
    if caller.role is not Role.ADMIN or caller.labels:
        raise Forbidden("Keys are managed by admin keys without labels.", code="role_needed")


def _audit(alone: Exclusively, caller: Caller, verb: str, key: Key) -> None:
    note = AuditNote(verb, "key", key.key_id, "null", f'{{"name":"{key.prefix}"}}')
    write_audit(alone.session, [(caller.key_id, caller.name, note)], alone.now_us)
