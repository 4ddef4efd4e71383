"""Start the function: `python -m functions.vm --help`."""

import sys

from functions.kit.serve import main
from functions.vm.compose import compose

if __name__ == "__main__":
    sys.exit(main("vm", compose))
