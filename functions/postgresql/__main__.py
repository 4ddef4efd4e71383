"""Start the function: `python -m functions.postgresql --help`."""

import sys

from functions.kit.serve import main
from functions.postgresql.compose import compose

if __name__ == "__main__":
    sys.exit(main("postgresql", compose))
