"""The nearest known word to a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known word, or the known words where none is near.

    Only called on the way to an error, so the cost of ``difflib`` is never paid otherwise.
    """
    import difflib

    candidates = sorted(set(known))
    folded = {candidate.casefold(): candidate for candidate in candidates}
    near = difflib.get_close_matches(word[:200].casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    if not candidates:
        return "none is known"
    shown = ", ".join(candidates[:_SHOWN])
    more = len(candidates) - _SHOWN
    return f"known: {shown}" + (f" and {more} more" if more > 0 else "")


_SHOWN = 12
