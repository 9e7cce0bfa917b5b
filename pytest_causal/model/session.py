"""A session: one invocation, and the facts under which its runs were made."""

from enum import StrEnum
from typing import NamedTuple


class SessionState(StrEnum):
    """How far a session came.

    A ``finished`` session may vouch for its scenarios. An ``interrupted`` one (Ctrl-C, ``pytest.exit``, an internal
    error, a store lost on the way) and an ``abandoned`` one (killed) can only speak against them.
    """

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    ABANDONED = "abandoned"


class SessionFacts(NamedTuple):
    """What is known when a session begins.

    ``uid`` is unique for ever: a session recorded or imported twice is one session. ``key`` is the unit of evidence:
    shards and matrix jobs of one CI run share it; elsewhere it equals ``uid``. ``started_us`` counts microseconds
    since the epoch (UTC). ``is_dirty`` is ``None`` until known. ``process`` identifies the recording process on
    ``host`` as ``PID:START`` (start in clock ticks since boot where the system tells it).
    """

    uid: str
    key: str
    started_us: int
    kind: str = "pytest"
    commit: str = ""
    branch: str = ""
    is_dirty: bool | None = None
    ci_provider: str = ""
    ci_run: str = ""
    ci_attempt: str = ""
    ci_job: str = ""
    is_trusted: bool = True
    python: str = ""
    platform: str = ""
    host: str = ""
    process: str = ""
    plugin_version: str = ""
    pytest_version: str = ""
    workers: int = 0
    profile: str = ""
    policy_fingerprint: str = ""


class SessionEnding(NamedTuple):
    """What is known when a session ends. ``broken`` says in words why the session as a whole is no evidence."""

    state: SessionState
    finished_us: int
    exit_status: int | None = None
    is_dirty: bool | None = None
    broken: str = ""


class Session(NamedTuple):
    """A stored session. ``number`` is its place in this store; ``order`` (``None`` until concluded) is its place
    in the history of concluded sessions: 1, 2, 3 and so on, without gaps."""

    number: int
    facts: SessionFacts
    ending: SessionEnding
    order: int | None
    runs: int
