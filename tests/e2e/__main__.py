"""`make cluster`: everything up, and a shell in it."""

import os
import subprocess
import sys
import time

from tests.e2e.programs import NotReady
from tests.e2e.stack import Stack


def main() -> int:
    """Start everything, run a shell until it ends, and stop everything."""
    start = time.monotonic()
    stack = Stack()
    try:
        stack.up()
        print(f"up after {time.monotonic() - start:.0f} s; KUBECONFIG is set, end this shell to stop everything", file=sys.stderr)
        print(f"from elsewhere: nsenter --target {os.environ['E2E_PID']} --net --mount", file=sys.stderr)
        tools = os.fspath(stack.tools)
        environment = {**os.environ, "KUBECONFIG": os.fspath(stack.platform.admin), "PATH": f"{tools}:{os.environ['PATH']}"}
        return subprocess.run([os.environ.get("SHELL", "bash")], check=False, env=environment).returncode
    except NotReady as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    finally:
        stack.down()


if __name__ == "__main__":
    sys.exit(main())
