"""``python -m services.cli`` is ``rapport``."""

from services.cli import main

if __name__ == "__main__":
    main(prog_name="rapport")
