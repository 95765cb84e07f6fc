"""Streets, towns and countries, as a model sees them: needs the extra `presidio`."""

from collections.abc import Iterator

from stages.text.patterns import Span
from stages.text.personal_data import presidio
from stages.text.personal_data.kinds import Rules

GATE = r"\p{L}"


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where the model sees a place."""
    return presidio.found(text, "LOCATION", rules.presidio_model)
