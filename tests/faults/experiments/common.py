"""Guards that several experiments take out."""

from typing import Final

from tests.faults.guards import Guard

POSITION_APART: Final = Guard(
    name="position-saved-with-its-effect",
    file="shared/stream/runner.py",
    old="                self._handler.handle(db, items)\n",
    new="            with self._database.write() as db:\n"
    "                self._handler.handle(db, items)\n",
)
