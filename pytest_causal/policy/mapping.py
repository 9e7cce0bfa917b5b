"""The policy as a test sees it: a read-only mapping that notes every leaf taken from it.

A scenario can vouch for a change only if it really read what changes, so every way of getting at a value is
a read: a subscript, ``get``, ``in``, iteration, unpacking, comparing, copying, pickling, printing. Taking a
table (``policy["limits"]``) reads nothing yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from pytest_causal.errors import ConfigError
from pytest_causal.model.run import Read, ReadHow
from pytest_causal.policy.canonical import fingerprint
from pytest_causal.policy.secrets import read_value
from pytest_causal.policy.tree import flatten, frozen, is_at_or_under, nest, thawed
from pytest_causal.settings.suggestion import did_you_mean


class PolicyMismatch(AssertionError):
    """The system under test uses another value than the policy says."""


class PolicySection(Mapping[str, Any]):
    """One table of the policy. Keys are text, values are leaves (lists as tuples) or tables."""

    __slots__ = ("_entries", "_noted")

    def __init__(self, entries: _Entries, noted: set[str]) -> None:
        """Take key -> (dotted path, leaf) or table, and the set in which to note the paths read."""
        self._entries = entries
        self._noted = noted

    def __getitem__(self, key: str) -> Any:
        """Return a leaf, noting it, or a table. Raises :class:`KeyError`."""
        entry = self._entries[key]
        if type(entry) is dict:
            return PolicySection(entry, self._noted)
        path, value = entry
        self._noted.add(path)  # one operation on a set: safe from many threads
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return a leaf, noting it, or a table, or the default."""
        return self[key] if key in self._entries else default

    def __contains__(self, key: object) -> bool:
        """Return whether there is such a key; asking for a leaf notes it."""
        if key not in self._entries:
            return False
        self._note(key)
        return True

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, noting each leaf as it is reached."""
        for key in self._entries:
            self._note(key)
            yield key

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._entries)

    def __repr__(self) -> str:
        """Return the values as a dict would print them; all of them are noted."""
        return repr(self.to_dict())

    def __copy__(self) -> dict[str, Any]:
        """Return a dict of this table; its leaves are noted, the tables in it still note theirs."""
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        """Return a plain dict that may be changed; every leaf is noted."""
        return self.to_dict()

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Pickle as a plain dict: what another process reads of it cannot be seen, so every leaf is noted."""
        return dict, (self.to_dict(),)

    def to_dict(self) -> dict[str, Any]:
        """Return a plain nested dict (lists as lists) that may be changed; every leaf is noted."""
        return _plain(self._entries, self._noted)

    def _note(self, key: Any) -> None:
        entry = self._entries[key]
        if type(entry) is not dict:
            self._noted.add(entry[0])


class PolicyMapping(PolicySection):
    """The whole policy, and what was read of it so far.

    Built once a session with :meth:`of` and handed out to each test with :meth:`fresh`, which shares the
    values and starts with nothing read.
    """

    __slots__ = ("_observed", "_shared")

    def __init__(self, shared: _Shared) -> None:
        """Take the values; use :meth:`of`, :meth:`fresh` or :meth:`from_json` to make one."""
        super().__init__(shared.entries, set())
        self._shared = shared
        self._observed: dict[str, Read] = {}

    @classmethod
    def of(cls, leaves: Mapping[str, Any], secrets: Iterable[str] = ()) -> Self:
        """Return the mapping of dotted path -> leaf; the values at ``secrets`` are kept out of reads and messages."""
        return cls(_Shared(leaves, frozenset(secrets)))

    def fresh(self) -> Self:
        """Return a mapping of the same values of which nothing was read."""
        return type(self)(self._shared)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that are equal for equal values, also between processes and machines."""
        return fingerprint(self._shared.leaves)

    def observe(self, path: str, value: object) -> None:
        """Note that the system under test reported ``value`` as in force at the dotted ``path``.

        Raises :class:`PolicyMismatch` where the policy says otherwise, so that the test fails, and
        :class:`ConfigError` for a path the policy does not have or a value without a JSON form.
        """
        self.check_paths((path,))
        try:
            seen = read_value(path, frozen(value), self._shared.secrets)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"observe({path!r}): {error}", "report a number, text, switch or list"
            ) from error
        self._observed[path] = Read(path=path, value=seen, how=ReadHow.OBSERVED)
        if seen != (expected := self._shared.read(path, ReadHow.OBSERVED).value):
            raise PolicyMismatch(f"{path}: the policy says {expected}, the system under test uses {seen}")

    @contextmanager
    def unnoticed(self) -> Iterator[None]:
        """Note nothing that is read in this block."""
        before = set(self._noted)
        try:
            yield
        finally:
            self._noted.intersection_update(before)

    def reads(self) -> tuple[Read, ...]:
        """Return what was read, by path, each path once: tracked, or else as the system reported it.

        A report that contradicts the policy outweighs a tracked read: it says what was really used.
        """
        reads = dict(self._observed)
        for path in tuple(self._noted):
            tracked = self._shared.read(path, ReadHow.TRACKED)
            if path not in reads or reads[path].value == tracked.value:
                reads[path] = tracked
        return tuple(reads[path] for path in sorted(reads))

    def declared(self, paths: Iterable[str]) -> tuple[Read, ...]:
        """Return reads of the leaves at or under dotted paths, as a test's author declared them.

        Paths that the policy does not have are left out; see :meth:`check_paths`.
        """
        wanted = tuple(paths)
        found = [path for path in self._shared.leaves if any(is_at_or_under(path, name) for name in wanted)]
        return tuple(self._shared.read(path, ReadHow.DECLARED) for path in sorted(found))

    def check_paths(self, paths: Iterable[str]) -> None:
        """Raise :class:`ConfigError`, naming the nearest, for a path that is neither a leaf nor a table."""
        leaves = self._shared.leaves
        for path in paths:
            if not any(is_at_or_under(leaf, path) for leaf in leaves):
                raise ConfigError(f"the policy has no {path!r}", did_you_mean(path, leaves))

    def to_json(self) -> str:
        """Return the values as JSON, from which :meth:`from_json` makes an equal mapping in any process."""
        carried = {"secrets": sorted(self._shared.secrets), "values": nest(self._shared.leaves)}
        return json.dumps(carried, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the mapping that :meth:`to_json` described; nothing of it was read."""
        carried = json.loads(text)
        return cls.of(flatten(carried["values"]), carried["secrets"])


class _Shared:
    """What all mappings of one policy share: the values, and reads made once and handed out often."""

    def __init__(self, leaves: Mapping[str, Any], secrets: frozenset[str]) -> None:
        self.leaves = dict(sorted(leaves.items()))  # one order in every process
        self.secrets = secrets
        self.entries = _entries(self.leaves)
        self._reads: dict[tuple[str, ReadHow], Read] = {}

    def read(self, path: str, how: ReadHow) -> Read:
        read = self._reads.get((path, how))
        if read is None:
            read = Read(path=path, value=read_value(path, self.leaves[path], self.secrets), how=how)
            self._reads[path, how] = read
        return read


_Entries = dict[str, Any]
"""Key -> (dotted path, leaf), or key -> the entries of a table."""


def _entries(leaves: Mapping[str, Any]) -> _Entries:
    entries: _Entries = {}
    for path, value in leaves.items():
        *tables, key = path.split(".")
        inner = entries
        for name in tables:
            inner = inner.setdefault(name, {})
        inner[key] = (path, value)
    return entries


def _plain(entries: _Entries, noted: set[str]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, entry in entries.items():
        if type(entry) is dict:
            plain[key] = _plain(entry, noted)
        else:
            noted.add(entry[0])
            plain[key] = thawed(entry[1])
    return plain
