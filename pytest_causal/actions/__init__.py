"""What is done with decisions: each action writes its facts in one transaction."""

from __future__ import annotations
