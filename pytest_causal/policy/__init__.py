"""Policy values: layers, profiles, and the read-only mapping that notes what a run read."""

from __future__ import annotations
