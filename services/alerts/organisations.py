"""What an organisation's facts about many clients say, as the rules read it, remembered."""

from services.alerts.judging import Organisation
from services.alerts.tables import Tables
from shared.storage.shared_facts import MOST_FACTS, Remembered


class Organisations(Remembered[Organisation]):
    """Reads organisations, and remembers those read last."""

    def __init__(self, tables: Tables, most_facts: int = MOST_FACTS) -> None:
        """Remember nothing yet."""
        super().__init__(tables.facts, tables.shared, Organisation, most_facts)
