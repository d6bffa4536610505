"""What is known of a call (labels), what a policy asks of it (scope), and the call's group."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tekton_budget.domain.errors import FieldFault, InvalidInput, invalid

WELL_KNOWN_LABELS: tuple[str, ...] = (
    "org",
    "team",
    "project",
    "user",
    "customer",
    "key",
    "environment",
    "feature",
    "component",
    "context_id",
    "task_type",
    "session",
    "task",
    "run",
    "agent",
    "provider",
    "model",
    "tier",
    "budget",
)

LABELS_MAX = 40
LABEL_NAME_MAX = 64
LABEL_VALUE_MAX = 256
SCOPE_VALUES_MAX = 100  # per label

SHARED_GROUP = ""
MISSING = ""  # in a list of what is asked of a label: the label may be missing too

T = TypeVar("T")

_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_.-]{{0,{LABEL_NAME_MAX - 1}}}")
_RANK = {label: rank for rank, label in enumerate(WELL_KNOWN_LABELS)}
_WILD = re.compile(r"[*?]")
_NEEDS_QUOTES = re.compile(r'[\s,="]')
_NAME_FAULT = f"a label's name is 1-{LABEL_NAME_MAX} of A-Z a-z 0-9 _ . - and starts with a letter"
_VALUE_FAULT = (
    f"must be text of 1-{LABEL_VALUE_MAX} printable characters (no line breaks, no control"
    " characters)"
)


def checked_labels(labels: Mapping[str, object]) -> dict[str, str]:
    """The labels as text, untrimmed; whole numbers become text, `None` is an absent label."""
    faults: list[FieldFault] = []
    checked: dict[str, str] = {}
    for name, given in labels.items():
        if given is None:
            continue
        value = _value_text(given)
        if name not in _RANK and not _NAME.fullmatch(name):
            faults.append(_fault("labels", name, _NAME_FAULT))
        elif value is None:
            faults.append(_fault("labels", name, _VALUE_FAULT))
        else:
            checked[name] = value
    if len(labels) > LABELS_MAX:
        faults = [FieldFault("labels", f"at most {LABELS_MAX} labels, not {len(labels)}")]
    _refuse(faults)
    return checked


def checked_names(field: str, names: Sequence[object], most: int) -> tuple[str, ...]:
    """Names of labels, each once; one that no call could send would be asked for in vain."""
    if len(names) > most or len(set(map(str, names))) != len(names):
        raise invalid(field, f"send up to {most} different labels")
    for name in names:
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise invalid(field, f"send names of labels: {_NAME_FAULT}")
    return tuple(map(str, names))


@dataclass(frozen=True, slots=True)
class Requirement:
    """What is asked of one label: one of the wanted values or globs, none of the excluded ones."""

    label: str
    values: tuple[str, ...]  # as written, "!" before an exclusion: wanted first, each part sorted
    _wanted: frozenset[str] = field(init=False, repr=False, compare=False)
    _wanted_globs: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _excluded: frozenset[str] = field(init=False, repr=False, compare=False)
    _excluded_globs: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = tuple(sorted(set(self.values), key=lambda value: (value.startswith("!"), value)))
        excluded = [value[1:] for value in values if value.startswith("!")]
        wanted = [value for value in values if not value.startswith("!")]
        # A frozen dataclass sets its derived fields this way; they are computed once, read often.
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_wanted", _plain(wanted))
        object.__setattr__(self, "_wanted_globs", _globs(wanted))
        object.__setattr__(self, "_excluded", _plain(excluded))
        object.__setattr__(self, "_excluded_globs", _globs(excluded))

    @property
    def wants(self) -> bool:
        """Whether it names anything wanted; else everything but its exclusions will do."""
        return bool(self._wanted) or self._wanted_globs is not None

    @property
    def takes_missing(self) -> bool:
        """Whether a call will do that lacks the label."""
        return MISSING in self._wanted

    @property
    def only_values(self) -> frozenset[str]:
        """All values that can match, where these can be listed; else empty."""
        if self._wanted_globs is not None or self.takes_missing:
            return frozenset()
        return self._wanted

    @property
    def only_roots(self) -> frozenset[str]:
        """What comes before the first slash in all values that match, where globs let it be said.

        `run=a,a/*` asks for a run and those inside it: there may be as many such scopes as runs.
        """
        if self._wanted_globs is None or self.takes_missing:
            return frozenset()
        wanted = [value for value in self.values if not value.startswith("!")]
        heads = [_WILD.split(value, maxsplit=1)[0] for value in wanted if _is_glob(value)]
        if not all("/" in head for head in heads):
            return frozenset()
        return frozenset(value.partition("/")[0] for value in wanted)

    def matches(self, value: str | None) -> bool:
        """Whether a label will do; one that is missing only where that is asked for by name."""
        return self.takes_missing if value is None else self.accepts(value)

    def accepts(self, value: str) -> bool:
        """Whole values, case-sensitive."""
        if value in self._excluded:
            return False
        if self._excluded_globs is not None and self._excluded_globs.fullmatch(value):
            return False
        if value in self._wanted:
            return True
        if self._wanted_globs is not None:
            return self._wanted_globs.fullmatch(value) is not None
        return not self._wanted

    def text(self) -> str:
        """Its values in one line: `gpt-*,!gpt-4*`."""
        return ",".join(_quoted(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a policy asks of a call's labels: every requirement at once; the empty one takes all."""

    requirements: tuple[Requirement, ...] = ()

    def __post_init__(self) -> None:
        # Well-known labels first, in their usual order: one order for equal scopes, and for people.
        ordered = sorted(
            set(self.requirements),
            key=lambda one: (_RANK.get(one.label, len(_RANK)), one.label, one.values),
        )
        object.__setattr__(self, "requirements", tuple(ordered))

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Scope":
        """`{"team": "a", "model": ["gpt-*", "!gpt-4*"]}`; refuses with fields `scope.<label>`."""
        faults: list[FieldFault] = []
        requirements: list[Requirement] = []
        for label, given in value.items():
            wanted = _scope_values(given)
            if not _NAME.fullmatch(label):
                faults.append(_fault("scope", label, _NAME_FAULT))
            elif isinstance(wanted, str):
                faults.append(_fault("scope", label, wanted))
            else:
                requirements.append(Requirement(label, wanted))
        if len(value) > LABELS_MAX:
            faults = [FieldFault("scope", f"at most {LABELS_MAX} labels, not {len(value)}")]
        _refuse(faults)
        return cls(tuple(requirements))

    def labels(self) -> tuple[str, ...]:
        """The labels it asks for."""
        return tuple(requirement.label for requirement in self.requirements)

    def to_json(self) -> dict[str, str | list[str]]:
        """What `from_json` reads back as the same scope.

        Where a merged scope asks a label for two things that no one list can say, they are joined
        by `&` for people to read; what is stored are the parts, never the merged scope.
        """
        asked: dict[str, list[Requirement]] = {}
        for requirement in self.requirements:
            asked.setdefault(requirement.label, []).append(requirement)
        return {label: _json_of(requirements) for label, requirements in asked.items()}

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a call with these labels is concerned. A missing label does not match, but for
        requirements that take it.
        """
        for requirement in self.requirements:
            if not requirement.matches(labels.get(requirement.label)):
                return False
        return True

    def merged(self, other: "Scope") -> "Scope":
        """Both at once: a label asked by both must satisfy both."""
        return Scope(self.requirements + other.requirements)

    def misses(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The labels that keep a call out; empty exactly when it matches."""
        missed = [one.label for one in self.requirements if not one.matches(labels.get(one.label))]
        return tuple(dict.fromkeys(missed))

    def text(self) -> str:
        """`team=a model=gpt-*`, the same for equal scopes and no others."""
        return " ".join(f"{one.label}={one.text()}" for one in self.requirements)


class ScopeIndex(Generic[T]):
    """Finds the few scopes that may match a call among very many, by one listed value of each."""

    def __init__(self, scoped: Iterable[tuple[Scope, T]]) -> None:
        entries = list(scoped)
        crowd = Counter(
            (requirement.label, value)
            for scope, _ in entries
            for requirement in scope.requirements
            for value in requirement.only_values or requirement.only_roots
        )
        self._always: list[tuple[int, T]] = []
        self._buckets: dict[str, dict[str, list[tuple[int, T]]]] = {}
        self._roots: dict[str, dict[str, list[tuple[int, T]]]] = {}
        for position, (scope, item) in enumerate(entries):
            chosen = _rarest(scope, crowd)
            if chosen is None:
                self._always.append((position, item))
                continue
            by_label = self._buckets if chosen.only_values else self._roots
            bucket = by_label.setdefault(chosen.label, {})
            for value in chosen.only_values or chosen.only_roots:
                bucket.setdefault(value, []).append((position, item))

    def candidates(self, labels: Mapping[str, str]) -> list[T]:
        """Every item whose scope may match, in the order given; the caller still asks `matches`."""
        found = [self._always] if self._always else []
        for label, bucket in self._buckets.items():
            value = labels.get(label)
            if value is not None and value in bucket:
                found.append(bucket[value])
        for label, bucket in self._roots.items():
            value = labels.get(label)
            if value is not None and (root := value.partition("/")[0]) in bucket:
                found.append(bucket[root])
        if len(found) == 1:
            return [item for _, item in found[0]]
        # An item is in one bucket per label and under one label only, so positions are unique.
        together = [entry for entries in found for entry in entries]
        together.sort(key=lambda entry: entry[0])
        return [item for _, item in together]


def group_of(per: tuple[str, ...], labels: Mapping[str, str]) -> str | None:
    """A call's group: `alice`, `alice/gpt-5` for two labels, `None` if a label is missing."""
    if len(per) == 1:
        return labels.get(per[0])
    values = [labels.get(label) for label in per]
    if None in values:
        return None
    return "/".join(_escaped(value) for value in values if value is not None)


def group_labels(per: tuple[str, ...], group: str) -> dict[str, str]:
    """The labels a group stands for, the inverse of `group_of`; none for the shared group."""
    if group == SHARED_GROUP:
        return {}
    if len(per) == 1:
        return {per[0]: group}
    values = [part.replace("%2F", "/").replace("%25", "%") for part in group.split("/")]
    labels = dict(zip(per, values, strict=False))
    # Written in any other way than ours, it would name a group that no call ever falls into.
    if "" in values or len(values) != len(per) or group_of(per, labels) != group:
        form = "/".join(f"<{label}>" for label in per) or "the empty text, for there is one group"
        message = f'must be {form}, with "/" written as %2F and "%" as %25 inside a value'
        raise InvalidInput(f'group "{group}" {message}', FieldFault("group", message))
    return labels


def _refuse(faults: list[FieldFault]) -> None:
    if faults:
        raise InvalidInput(
            "; ".join(f"{fault.field}: {fault.message}" for fault in faults), *faults
        )


def _fault(parent: str, label: str, message: str) -> FieldFault:
    return FieldFault(f"{parent}.{label[:LABEL_NAME_MAX]}", message)


def _value_text(given: object) -> str | None:
    """`None` if it cannot be a label's value."""
    if type(given) is str and given and len(given) <= LABEL_VALUE_MAX:  # nearly always
        return given if given.isprintable() else None
    if isinstance(given, int) and not isinstance(given, bool):
        # Python refuses to write out very long numbers, by an exception.
        given = str(given) if abs(given) < 10 ** (LABEL_VALUE_MAX - 1) else ""
    if not isinstance(given, str) or not 1 <= len(given) <= LABEL_VALUE_MAX:
        return None
    return given if given.isprintable() else None


def _scope_values(given: object) -> tuple[str, ...] | str:
    """What is asked of one label, or (as plain text) why it cannot be."""
    listed = given if isinstance(given, list | tuple) else [given]
    if not 1 <= len(listed) <= SCOPE_VALUES_MAX:
        return f"must be a value or a list of 1-{SCOPE_VALUES_MAX}; leave it out to ask nothing"
    values = []
    for one in listed:
        if one == MISSING and listed is given:
            values.append(MISSING)
            continue
        bare = one.removeprefix("!") if isinstance(one, str) else one
        text = _value_text(bare)
        if text is None:
            return f'{_VALUE_FAULT}, with "!" before it to exclude, or a list of such'
        values.append(one if isinstance(one, str) else text)
    return tuple(values)


def _is_glob(value: str) -> bool:
    return "*" in value or "?" in value


def _plain(values: list[str]) -> frozenset[str]:
    return frozenset(value for value in values if not _is_glob(value))


def _globs(values: list[str]) -> re.Pattern[str] | None:
    patterns = [_glob_pattern(value) for value in values if _is_glob(value)]
    return re.compile("|".join(f"(?:{one})" for one in patterns), re.DOTALL) if patterns else None


def _glob_pattern(glob: str) -> str:
    """As a regular expression that never backtracks: the earliest place of each piece will do."""
    first, *rest = ["".join("." if c == "?" else re.escape(c) for c in p) for p in glob.split("*")]
    if not rest:
        return first
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    return f"{first}{middle}.*{rest[-1]}"


def _quoted(value: str) -> str:
    if value != MISSING and not _NEEDS_QUOTES.search(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _json_of(requirements: list[Requirement]) -> str | list[str]:
    wanting = [requirement for requirement in requirements if requirement.wants]
    if len(wanting) > 1:
        return " & ".join(requirement.text() for requirement in requirements)
    values = Requirement("", tuple(v for one in requirements for v in one.values)).values
    return values[0] if len(values) == 1 and values[0] != MISSING else list(values)


def _rarest(scope: Scope, crowd: Counter[tuple[str, str]]) -> Requirement | None:
    """The requirement that finds a scope best: the fewest others ask for its values."""
    listed = [one for one in scope.requirements if one.only_values or one.only_roots]
    return min(
        listed,
        key=lambda one: max(crowd[one.label, v] for v in one.only_values or one.only_roots),
        default=None,
    )


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace("/", "%2F")
