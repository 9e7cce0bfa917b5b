"""Files that runs leave behind: what is kept, what is compressed, and how nothing is lost on the way."""

from __future__ import annotations
