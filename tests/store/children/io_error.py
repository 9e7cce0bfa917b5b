"""Let the n-th read or write of a store fail, for every n: ``io_error.py STORE PERSISTENT``, with ``eio.c`` preloaded.

Prints, as JSON, how often a fault was injected, what was complained, and what was wrong afterwards.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
from contextlib import closing
from itertools import count

from pytest_causal.errors import StoreCorruptError, StoreError
from pytest_causal.model.run import Outcome, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.opening import open_store

RUNS = 25
preloaded = ctypes.CDLL(None)


def record(path: str, uid: str) -> int:
    """Record a session; return how many runs were committed before anything failed."""
    committed = 0
    with closing(open_store(path)) as store:
        number = store.begin_session(SessionFacts(uid=uid, key=uid, started_us=1))
        for place in range(3):
            names = [f"{uid}-{place}-{each}" for each in range(RUNS)]
            store.add_runs(
                number,
                [Run(scenario=name, nodeid=name, outcome=Outcome.PASSED, started_us=1) for name in names],
            )
            committed += RUNS
            os.write(pipe, b".")
        with store.concluding(
            number, SessionEnding(state=SessionState.FINISHED, finished_us=1)
        ) as conclusion:
            list(conclusion.tallies())
        store.checkpoint()
    return committed


def one_fault(path: str, place: int, is_persistent: bool) -> None:
    """Record with one fault, in a process of its own; tell through the pipe."""
    preloaded.eio_arm(place, is_persistent)
    said = ""
    try:
        record(path, str(place))
    except StoreCorruptError as error:
        said = f"corrupt: {error}"
    except StoreError as error:
        said = f"error: {error}"
    except BaseException:
        said = traceback.format_exc()
    fired = preloaded.eio_fired()
    preloaded.eio_arm(0, 0)
    os.write(pipe, f"{fired}:{said}".encode())


found: dict[str, list[object]] = {"said": [], "wrong": []}
store_path, persistent = sys.argv[1], bool(int(sys.argv[2]))
for at in count(1):
    read_end, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        one_fault(store_path, at, persistent)
        os._exit(0)
    os.close(pipe)
    with os.fdopen(read_end) as told:
        dots, _, message = told.read().partition(":")
    os.waitpid(child, 0)
    batches = dots.count(".")
    if int(dots.lstrip(".")) == 0:
        break  # all went well without reaching that many calls
    found["said"].append(message)
    with closing(open_store(store_path)) as after:
        session = after.find_session(str(at))
        if batches and (session is None or session.runs < batches * RUNS):
            found["wrong"].append(f"fault {at}: {batches} batches were committed, found {session}")
        found["wrong"] += [*after.notices, *after.health(deep=True).problems]
    if at % 40 == 0 or batches == 0:
        for end in ("", "-wal", "-shm"):
            if os.path.exists(store_path + end):
                os.unlink(store_path + end)
print(json.dumps(found))
