"""What a test needs and this machine does not have."""


class Missing(Exception):
    """A real server cannot be started here; the message says what is missing and how to get it."""
