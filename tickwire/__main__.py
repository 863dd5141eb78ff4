"""`python -m tickwire` is the `tickwire` command."""

from __future__ import annotations

import sys

from tickwire.cli import main

if __name__ == "__main__":
    sys.exit(main())
