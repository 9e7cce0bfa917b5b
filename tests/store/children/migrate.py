"""Open a store with the migrations of a folder: ``migrate.py STORE FOLDER``. Starts when standard input is closed."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_causal import clock
from pytest_causal.store.migrations import load_migrations
from pytest_causal.store.sqlite_opening import open_for_writing

steps = load_migrations(Path(sys.argv[2]))
sys.stdin.read()
opened = open_for_writing(Path(sys.argv[1]), busy_seconds=60.0, now_us=clock.now_us, migrations=steps)
print(opened.schema_version, *opened.notices)
opened.database.close()
