"""The read models: one file each, one line each in ``READ_MODELS``."""

from services.projections.read_model import ReadModel
from services.projections.read_models.alerts import Alerts
from services.projections.read_models.caseload import Caseload
from services.projections.read_models.concerns import Concerns
from services.projections.read_models.facts import Facts

FACTS = Facts()
ALERTS = Alerts()
CASELOAD = Caseload(FACTS.charts)
CONCERNS = Concerns(FACTS.charts)

READ_MODELS: tuple[ReadModel, ...] = (
    FACTS,
    ALERTS,
    CASELOAD,
    CONCERNS,
)
"""In the order in which a batch is applied: the facts come first."""
