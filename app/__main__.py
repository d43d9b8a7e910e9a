"""`python -m app`: see `app.command`."""

import sys

from app import garbage

if __name__ == "__main__":
    with garbage.imports():
        from app.command import main
    sys.exit(main())
