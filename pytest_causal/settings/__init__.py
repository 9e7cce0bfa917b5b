"""The one table of settings, and where each value in force came from."""

from __future__ import annotations
