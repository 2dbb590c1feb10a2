"""Guards, and the means to take one out: a textual mutation of a copy of the source tree.

An experiment that passes says little unless it fails where its guard is missing. So each one is
also run on a copy of ``services`` and ``shared`` from which the guard was taken out, and must then
report at least one violation. A guard that has moved is noticed: its text must occur exactly once.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("services", "shared")


class GuardMoved(Exception):
    """The text of a guard no longer stands where it stood; give the guard its new text."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement: ``old`` must occur exactly once in ``file``."""

    file: str
    old: str
    new: str

    def of(self, text: str) -> str:
        """Return a text with the replacement made.

        Raises:
            GuardMoved: when ``old`` does not occur exactly once, or nothing would change.
        """
        found = text.count(self.old)
        if found != 1 or self.old == self.new:
            raise GuardMoved(f"{self.file}: the text occurs {found} times, not once: {self.old!r}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Guard:
    """Something in the product that keeps a promise, and how to take it out.

    Attributes:
        name: Says what is missing, as in ``position-saved-apart-from-its-effect``.
        file: Path in the source tree, as in ``shared/stream/runner.py``.
        old: The text that makes the guard; occurs exactly once.
        new: What stands there when the guard is missing.
        also: Further edits that belong to it.
        loud: True where a process that ends or stands still counts as having noticed.
        tries: With how many seeds the experiment is run at most until it notices; more than one
            only where the damage needs a coincidence.
        on: Which of the experiment's engines, as ``kafka×postgres``; the first when empty.
    """

    name: str
    file: str
    old: str
    new: str
    also: tuple[Edit, ...] = ()
    loud: bool = False
    tries: int = 1
    on: str = ""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Every replacement."""
        return (Edit(self.file, self.old, self.new), *self.also)

    def check(self) -> None:
        """See that the guard stands where it is said to stand.

        Raises:
            GuardMoved: when it does not.
        """
        texts: dict[str, str] = {}
        for edit in self.edits:
            text = texts.get(edit.file) or (ROOT / edit.file).read_text()
            texts[edit.file] = edit.of(text)
        for file, text in texts.items():
            compile(text, file, "exec")

    def removed(self, folder: Path) -> Path:
        """Return a copy of the source tree without the guard.

        Raises:
            GuardMoved: when the guard does not stand where it is said to stand.
        """
        self.check()
        for package in PACKAGES:
            shutil.copytree(ROOT / package, folder / package)
        for edit in self.edits:
            file = folder / edit.file
            file.write_text(edit.of(file.read_text()))
        return folder
