"""Everything together."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e import crossplane, plane
from tests.e2e.plane import Cluster
from tests.e2e.programs import Programs
from tools.crossplane import BINARIES, ROOT


class Stack:
    """Two clusters, the world around them, Crossplane and the suite.

    Attributes:
        programs: What runs.
        platform: The cluster with Crossplane.
        apps: The cluster for Apps on clouds.
        tools: The folder with kubectl and the others.
        took: Seconds until everything was up.
    """

    platform: Cluster
    apps: Cluster

    def __init__(self) -> None:
        self.programs = Programs()
        self.tools: Path = BINARIES
        self.took = 0.0

    def up(self) -> None:
        """Start everything.

        Raises:
            NotReady: Where something does not come up.
        """
        start = time.monotonic()
        crossplane.check()
        with ThreadPoolExecutor() as pool:
            plane.store(self.programs)
            pushed = pool.submit(crossplane.registry, self.programs)
            self.platform = plane.start(self.programs, "platform", 6443)
            self.programs.start("world", [sys.executable, "-m", "tests.e2e.world"], {"PYTHONPATH": str(ROOT)})
            others = pool.submit(self._around)
            crossplane.core(self.programs, self.platform)
            pushed.result()
            crossplane.suite(self.platform)
            crossplane.wait(self.platform)
            others.result()
        self.took = time.monotonic() - start

    def _around(self) -> None:
        crossplane.operators(self.platform, "cloudnative-pg", "external-secrets", "victoriametrics")
        self.apps = plane.start(self.programs, "apps", 6444)
        crossplane.operators(self.apps, "external-secrets", "victoriametrics")

    def down(self) -> None:
        """Stop everything."""
        self.programs.stop_all()
