"""The history store: one contract, and a backend for each kind of database."""

from __future__ import annotations
