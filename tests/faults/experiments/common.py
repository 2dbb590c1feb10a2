"""Guards that several experiments take out."""

from typing import Final

from tests.faults.guards import Guard

POSITION_APART: Final = Guard(
    name="position-saved-with-its-effect",
    file="shared/stream/runner.py",
    old="            if items:\n                self._handler.handle(db, items, held.clients)\n",
    new="        with self._database.write() as db:\n"
    "            if items:\n                self._handler.handle(db, items, held.clients)\n",
)
