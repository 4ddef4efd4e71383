"""The world, as a process: `python -m tests.e2e.world`."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.e2e.programs import FOLDER
from tests.e2e.world import operators, sql
from tests.e2e.world.api import Api
from tests.e2e.world.clouds import Clouds
from tests.e2e.world.controller import Controller
from tests.e2e.world.hosts import Hosts
from tests.e2e.world.nodes import Kubelet
from tests.e2e.world.objects import HELD, VSHN, Objects, Vshn
from tests.e2e.world.operators import CloudNativePG, ExternalSecrets, Tailnet, Volumes
from tests.e2e.world.postgres import Servers
from tests.e2e.world.upjet import Cloud, Managed, Provider
from tests.e2e.world.weather import Weather

PROVIDERS: Final = (
    "exoscale-provider-exoscale",
    "vshn-provider-exoscale",
    "edixos-provider-ovh",
    "scaleway-provider-scaleway",
    "crossplane-contrib-provider-kubernetes",
    "crossplane-contrib-provider-sql",
)
APPS: Final = ("apps-exoscale", "apps-ovh", "apps-scaleway")


def kubeconfig(name: str, cluster: str = "platform") -> Path:
    """Return the kubeconfig of a user, who may not be there yet."""
    return FOLDER / cluster / f"{name}.kubeconfig"


async def main() -> None:
    """Run the world for ever."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    platform = Api("platform", kubeconfig("admin"))
    servers, hosts, weather = Servers(FOLDER / "postgres"), Hosts(Path("/etc/hosts")), Weather(platform)
    store: dict[str, Mapping[str, str]] = {}
    async with asyncio.TaskGroup() as tasks:

        def run(controllers: Iterable[Controller]) -> None:
            for controller in controllers:
                tasks.create_task(controller.run())

        tasks.create_task(servers.prepare())
        run([weather.controller])

        def live_in(api: Api) -> None:
            folder = FOLDER / f"nodes-{api.cluster}"
            folder.mkdir()
            kubelet = Kubelet(api, weather, hosts, folder)
            run([kubelet.pods, kubelet.services])
            secrets = ExternalSecrets(api, store)
            run(
                [
                    Controller(api, operators.EXTERNAL_SECRET, secrets.fetch),
                    Controller(api, operators.PUSH_SECRET, secrets.push),
                    Controller(api, operators.INGRESS, Tailnet(api).reconcile),
                    Controller(api, operators.VOLUME_CLAIM, Volumes(api, weather).reconcile),
                ]
            )

        live_in(platform)
        run([Controller(platform, operators.CLUSTER, CloudNativePG(platform, servers, hosts, weather).reconcile)])
        apps = Api("apps", await _there(kubeconfig("admin", "apps")))
        live_in(apps)
        # Each provider is the user that its package's pod would be, so that a right that is missing is missed here.
        as_user = {name: Api("platform", await _there(kubeconfig(name))) for name in PROVIDERS}
        exoscale, vshn, ovh, scaleway, kubernetes, postgresql = (as_user[name] for name in PROVIDERS)
        cloud = Cloud(FOLDER / "clouds")
        clouds = Clouds(cloud, servers, weather, lambda: scaleway)
        made = {exoscale: clouds.exoscale, ovh: clouds.ovh, scaleway: clouds.scaleway}
        holding = {kind.kind for kinds in made.values() for kind in kinds if kind.holds}

        def provider(api: Api, managed: Managed) -> Controller:
            return Controller(api, managed.kind, Provider(api, cloud, weather, managed, holding).reconcile)

        run(provider(api, managed) for api, kinds in made.items() for managed in kinds)
        run(Controller(postgresql, kind, sql.Sql(postgresql, weather, kind).reconcile) for kind in sql.KINDS)
        run([Controller(vshn, VSHN, Vshn(vshn, servers, weather).reconcile)])
        objects = Objects(kubernetes, {"default": kubernetes, **dict.fromkeys(APPS, apps)})
        run([objects.controller, objects.watch(kubernetes, VSHN), *(objects.watch(apps, kind) for kind in HELD)])


async def _there(path: Path) -> Path:
    while not await asyncio.to_thread(path.exists):
        await asyncio.sleep(0.1)
    return path


if __name__ == "__main__":
    asyncio.run(main())
