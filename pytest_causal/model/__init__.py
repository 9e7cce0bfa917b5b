"""Frozen records and enums that every other part speaks in: no I/O, no clock."""

from __future__ import annotations
