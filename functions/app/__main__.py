"""Start the function: `python -m functions.app --help`."""

import sys

from functions.app.compose import compose
from functions.kit.serve import main

if __name__ == "__main__":
    sys.exit(main("app", compose))
