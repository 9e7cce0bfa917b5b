"""Pure decisions: they take stored facts and return verdicts, and can be replayed from history."""

from __future__ import annotations
