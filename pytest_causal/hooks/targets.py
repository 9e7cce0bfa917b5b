"""Sets in-process targets to the policy's values while a session runs, and puts back what stood there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_causal.errors import CausalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_causal.policy.mapping import PolicyMapping


class TargetHooks:
    """Registered on controller and workers where the settings name targets."""

    def __init__(self, names: Sequence[str], policy: PolicyMapping) -> None:
        self._names = names
        self._policy = policy

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Set the targets before anything is collected; they are restored however the session ends."""
        from pytest_causal.policy.targets import apply_targets

        try:
            applied = apply_targets(self._names, self._policy.fresh().to_dict())
        except CausalError as error:
            raise pytest.UsageError(f"causal: {error}") from error
        session.config.add_cleanup(applied.restore)
