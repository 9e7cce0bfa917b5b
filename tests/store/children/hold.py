"""Hold the write lock of a store: ``hold.py STORE``. Says ``held``, and lets go when its standard input is closed."""

from __future__ import annotations

import sys

from pytest_causal.store.opening import open_store

store = open_store(sys.argv[1])
with store.amending():
    print("held", flush=True)
    sys.stdin.read()
store.close()
