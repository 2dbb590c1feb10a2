"""Small words that rules and measures need, so that a figure reads the same everywhere. Pure."""

from collections.abc import Mapping, Sequence


def counted(n: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 session``, ``2 sessions``."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def figure(value: float) -> str:
    """Return a figure with no more digits than it needs, two decimals at most."""
    return f"{round(value, 2):g}"


def listed(names: Sequence[str], by: str = "and") -> str:
    """Return names as people list them: ``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {by} {names[-1]}"


def excused(not_counted: Mapping[str, int]) -> str:
    """Return a sentence that lists what was left out and why; empty where nothing was."""
    if not not_counted:
        return ""
    reasons = ", ".join(f"{n} × {reason.replace('_', ' ')}" for reason, n in not_counted.items())
    return f" Not counted: {reasons}."
