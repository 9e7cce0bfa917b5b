"""The pytest side: recording, distribution, reporting, and the edge that keeps our faults from the run."""

from __future__ import annotations
