"""Pure rendering: decisions and records in, text out."""

from __future__ import annotations
