"""What a test's author declared about a scenario with ``@pytest.mark.scenario``."""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pytest_causal.model.criteria import Criteria


class Declaration(NamedTuple):
    """The declared side of a scenario: tags, and criteria that replace the general ones.

    ``criteria`` holds (field of :class:`~pytest_causal.model.criteria.Criteria`, value) pairs, sorted by field.
    """

    scenario: str
    tags: tuple[str, ...] = ()
    criteria: tuple[tuple[str, Any], ...] = ()

    def criteria_over(self, general: "Criteria") -> "Criteria":
        """Return the criteria in force for this scenario."""
        return general._replace(**dict(self.criteria)) if self.criteria else general
