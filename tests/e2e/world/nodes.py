"""The nodes: pods of functions are really started out of their images; others only say that they run."""

import asyncio
import json
import shutil
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import images
from tests.e2e.programs import built
from tests.e2e.world.api import Api, Kind, Object, set_status
from tests.e2e.world.controller import Controller
from tests.e2e.world.hosts import Hosts
from tests.e2e.world.weather import Weather

POD: Final = Kind("", "v1", "Pod", "pods")
SERVICE: Final = Kind("", "v1", "Service", "services")
FUNCTION: Final = "pkg.crossplane.io/function"

_PORT: Final = 9443
_USER: Final = 2000
_BACKOFF: Final = 1.0


@dataclass
class Running:
    """A pod that was started.

    Attributes:
        address: Of it.
        restarts: How often its function ended.
        process: Of the function, None for other pods.
    """

    address: str
    restarts: int = 0
    process: asyncio.subprocess.Process | None = None


class Kubelet:
    """Looks after the pods of one cluster.

    Attributes:
        pods: The controller of pods.
        services: The controller of Services, whose names lead to pods that are ready.
    """

    def __init__(self, api: Api, weather: Weather, hosts: Hosts, folder: Path) -> None:
        self._api, self._weather, self._hosts, self._folder = api, weather, hosts, folder
        self._running: dict[str, Running] = {}
        self._pulled: dict[str, asyncio.Task[tuple[Path, Object]]] = {}
        self._count = 0
        self.pods = Controller(api, POD, self.reconcile)
        self.services = Controller(api, SERVICE, self._name)

    async def reconcile(self, seen: Object) -> float | None:
        """Do what a kubelet does."""
        metadata, phase = seen["metadata"], seen.get("status", {}).get("phase")
        if "deletionTimestamp" in metadata or phase in {"Succeeded", "Failed"}:
            return None
        running = self._running.setdefault(metadata["uid"], Running(self._address()))
        if FUNCTION in metadata.get("labels", {}) and running.process is None:
            asyncio.get_running_loop().create_task(self._run(seen, running))
        elif FUNCTION not in metadata.get("labels", {}):
            return await self._pretend(seen, running)
        return None

    def _address(self) -> str:
        self._count += 1
        return f"127.1.{self._count // 250}.{self._count % 250 + 1}"

    async def _missing(self, seen: Object) -> str:
        """Return a Secret without which the pod's containers cannot start, "" where there are all."""
        spec = seen["spec"]
        wanted: set[str] = {
            entry["valueFrom"]["secretKeyRef"]["name"]
            for container in spec["containers"]
            for entry in container.get("env", [])
            if "secretKeyRef" in entry.get("valueFrom", {})
        }
        wanted |= {volume["secret"]["secretName"] for volume in spec.get("volumes", []) if "secret" in volume}
        for name in sorted(wanted):
            if await self._api.secret(seen["metadata"]["namespace"], name) is None:
                return name
        return ""

    async def _pretend(self, seen: Object, running: Running) -> float | None:
        namespace, job = seen["metadata"]["namespace"], "batch.kubernetes.io/job-name" in seen["metadata"].get("labels", {})
        if problem := self._weather.failure(namespace, "Image"):
            await self._set(seen, running, waiting={"reason": "ImagePullBackOff", "message": problem})
            return _BACKOFF
        if missing := await self._missing(seen):
            await self._set(
                seen, running, waiting={"reason": "CreateContainerConfigError", "message": f'secret "{missing}" not found'}
            )
            return _BACKOFF
        if job:
            await self._set(seen, running, ready=True)
        await asyncio.sleep(self._weather.latency(namespace))
        if job:
            failed = self._weather.failure(namespace, "Job")
            await self._set(seen, running, phase="Failed" if failed else "Succeeded", exit_code=1 if failed else 0)
        else:
            await self._set(seen, running, ready=True)
        return None

    async def _run(self, seen: Object, running: Running) -> None:
        """Run a function until its pod is gone; start it again when it ends."""
        key = (seen["metadata"]["namespace"], seen["metadata"]["name"])
        container = seen["spec"]["containers"][0]
        root, config = await self._pull(container["image"])
        tls = await self._mount(seen)
        command = images.command(root, config["Entrypoint"], _USER, tls, f"{running.address}:{_PORT}")
        log = (self._folder / f"{key[1]}.log").open("ab")
        while key in self.pods.seen:
            running.process = await asyncio.create_subprocess_exec(*command, env=images.environment(config["Env"]), stderr=log)
            ended = asyncio.create_task(running.process.wait())
            if await self._listens(running, ended):
                await self._ready(key, running, ready=True)
            while not ended.done() and key in self.pods.seen:
                await asyncio.wait([ended], timeout=0.2)
            if not ended.done():
                running.process.terminate()
            await ended
            await self._ready(key, running, ready=False)
            running.restarts += 1
            await asyncio.sleep(_BACKOFF)

    @staticmethod
    async def _listens(running: Running, ended: "asyncio.Task[int]") -> bool:
        while not ended.done():
            try:
                _, writer = await asyncio.open_connection(running.address, _PORT)
                writer.close()
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return True
        return False

    async def _ready(self, key: tuple[str, str], running: Running, *, ready: bool) -> None:
        if (seen := self.pods.seen.get(key)) is not None:
            await self._set(seen, running, ready=ready)
        for service in list(self.services.seen.values()):
            await self._name(service)

    async def _pull(self, image: str) -> tuple[Path, Object]:
        if image not in self._pulled:
            self._pulled[image] = asyncio.create_task(self._unpack(image, self._folder / f"image-{len(self._pulled)}"))
        return await self._pulled[image]

    @staticmethod
    async def _unpack(image: str, root: Path) -> tuple[Path, Object]:
        archive = root.with_suffix(".tar")
        crane = await asyncio.create_subprocess_exec(built("crane"), "export", image, str(archive))
        await crane.wait()
        with tarfile.open(archive) as files:
            await asyncio.to_thread(files.extractall, root, filter="tar")  # of our own build
        await asyncio.to_thread(archive.unlink)
        await asyncio.to_thread(root.chmod, 0o755)
        asked = await asyncio.create_subprocess_exec(built("crane"), "config", image, stdout=asyncio.subprocess.PIPE)
        out, _ = await asked.communicate()
        config: Object = json.loads(out)["config"]
        return root, config

    async def _mount(self, seen: Object) -> Path:
        """Lay out the Secret that the pod mounts as its certificates."""
        name = next(volume["secret"]["secretName"] for volume in seen["spec"]["volumes"] if "secret" in volume)
        while not (values := await self._api.secret(seen["metadata"]["namespace"], name)):
            await asyncio.sleep(0.1)
        folder = self._folder / f"tls-{seen['metadata']['uid']}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for key, value in values.items():
            (folder / key).write_text(value)
        return folder

    async def _set(
        self,
        seen: Object,
        running: Running,
        *,
        ready: bool = False,
        phase: str = "Running",
        waiting: Object | None = None,
        exit_code: int | None = None,
    ) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        state: Object = {"running": {"startedAt": now}}
        if waiting is not None:
            phase, state = "Pending", {"waiting": waiting}
        if exit_code is not None:
            state = {"terminated": {"exitCode": exit_code, "finishedAt": now, "startedAt": now}}
        containers = [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "restartCount": running.restarts,
                "started": ready,
                "state": state,
            }
            for container in seen["spec"]["containers"]
        ]
        kinds = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
        status = {
            "phase": phase,
            "podIP": running.address,
            "podIPs": [{"ip": running.address}],
            "startTime": now,
            "containerStatuses": containers,
            "conditions": [{"type": name, "status": str(holds), "lastTransitionTime": now} for name, holds in kinds.items()],
        }
        if seen.get("status", {}).get("phase") != phase or _is_ready(seen) != ready:
            await set_status(self._api, POD, seen, status)
            seen["status"] = status

    async def _name(self, service: Object) -> float | None:
        """Let a headless Service's name lead to its pods that are ready."""
        if service["spec"].get("clusterIP") != "None":
            return None
        metadata, wanted = service["metadata"], service["spec"]["selector"].items()
        addresses = [
            self._running[pod["metadata"]["uid"]].address
            for (namespace, _), pod in self.pods.seen.items()
            if namespace == metadata["namespace"] and wanted <= pod["metadata"].get("labels", {}).items() and _is_ready(pod)
        ]
        self._hosts.set(f"{metadata['name']}.{metadata['namespace']}", addresses)
        return None


def _is_ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))
