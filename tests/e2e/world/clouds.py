"""The kinds of managed resources of three clouds, and what each cloud answers: v0.1.0, v2.13.2, v0.6.0 of their providers."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from tests.e2e.world.api import Api, Kind, Object
from tests.e2e.world.postgres import Server, Servers
from tests.e2e.world.upjet import Cloud, Managed, Thing
from tests.e2e.world.weather import Weather

_COMPUTE: Final = "compute.exoscale.m.exoscale.ch"
_OVH_CLOUD: Final = "cloud.ovh.m.edixos.io"
_OVH_DATABASES: Final = "databases.ovh.m.edixos.io"
_SCW_INSTANCE: Final = "instance.scaleway.m.upbound.io"
_SCW_RDB: Final = "rdb.scaleway.m.upbound.io"
_V: Final = "v1alpha1"

EXO_INSTANCE: Final = Kind(_COMPUTE, _V, "Instance", "instances")
EXO_GROUP: Final = Kind(_COMPUTE, _V, "SecurityGroup", "securitygroups")
EXO_RULE: Final = Kind(_COMPUTE, _V, "SecurityGroupRules", "securitygrouprules")
EXO_KEY: Final = Kind(_COMPUTE, _V, "SSHKey", "sshkeys")
EXO_VOLUME: Final = Kind(_COMPUTE, _V, "BlockStorageVolume", "blockstoragevolumes")
OVH_INSTANCE: Final = Kind(_OVH_CLOUD, _V, "ProjectInstance", "projectinstances")
OVH_VOLUME: Final = Kind(_OVH_CLOUD, _V, "ProjectVolume", "projectvolumes")
OVH_DATABASE: Final = Kind(_OVH_DATABASES, _V, "ProjectDatabase", "projectdatabases")
OVH_USER: Final = Kind(_OVH_DATABASES, _V, "ProjectDatabasePostgresqlUser", "projectdatabasepostgresqlusers")
SCW_SERVER: Final = Kind(_SCW_INSTANCE, _V, "Server", "servers")
SCW_GROUP: Final = Kind(_SCW_INSTANCE, _V, "SecurityGroup", "securitygroups")
SCW_IP: Final = Kind(_SCW_INSTANCE, _V, "IP", "ips")
SCW_NIC: Final = Kind(_SCW_INSTANCE, _V, "PrivateNIC", "privatenics")
SCW_VOLUME: Final = Kind("block.scaleway.m.upbound.io", _V, "Volume", "volumes")
SCW_RDB: Final = Kind(_SCW_RDB, _V, "Instance", "instances")
SCW_ACL: Final = Kind(_SCW_RDB, _V, "ACL", "acls")


# What comes with a flavor of OVH's databases, in GB.
_STORAGE: Final = {"db1-4": 80, "db1-7": 160, "db1-15": 320}


class Clouds:
    """What the clouds answer.

    Attributes:
        exoscale: Kinds of managed resources of Exoscale.
        ovh: Those of OVH.
        scaleway: Those of Scaleway.
    """

    def __init__(self, cloud: Cloud, servers: Servers, weather: Weather, api: Callable[[], Api]) -> None:
        self._cloud, self._servers, self._weather, self._api = cloud, servers, weather, api
        self._addresses = 0
        self.exoscale = [
            Managed(EXO_GROUP, _nothing, immutable=("name", "description")),
            Managed(
                EXO_RULE,
                _nothing,
                immutable=("type", "protocol", "cidr", "startPort", "endPort", "icmpType", "icmpCode"),
                references={"securityGroupId": EXO_GROUP},
            ),
            Managed(EXO_KEY, _nothing, immutable=("publicKey",), named=True),
            Managed(EXO_VOLUME, _nothing, immutable=("zone",)),
            Managed(
                EXO_INSTANCE,
                self._exoscale_instance,
                immutable=("zone", "templateId", "sshKeys", "antiAffinityGroupIds"),
                references={"securityGroupIds": EXO_GROUP, "sshKeys": EXO_KEY},
                guard="destroyProtected",
                holds=True,
            ),
        ]
        self.ovh = [
            Managed(
                OVH_INSTANCE,
                self._ovh_instance,
                immutable=(
                    "billingPeriod",
                    "bootFrom",
                    "flavor",
                    "name",
                    "network",
                    "region",
                    "serviceName",
                    "sshKeyCreate",
                    "userData",
                ),
                poll=1,
            ),
            Managed(OVH_VOLUME, _nothing, immutable=("regionName", "serviceName", "type", "instanceId")),
            Managed(
                OVH_DATABASE,
                self._ovh_database,
                immutable=("serviceName", "engine", "nodes"),
                defaults=lambda parameters: {"diskSize": _STORAGE[parameters["flavor"]]},
                refuses=_ovh_refuses,
                guard="deletionProtection",
                gone=self._stop,
            ),
            Managed(
                OVH_USER,
                self._ovh_user,
                immutable=("name", "serviceName", "clusterId"),
                references={"clusterId": OVH_DATABASE},
                secret=lambda thing: {"attribute.password": thing.facts["password"]},
            ),
        ]
        self.scaleway = [
            Managed(
                SCW_GROUP,
                _nothing,
                immutable=("zone", "projectId"),
                defaults=lambda _: {"inboundDefaultPolicy": "accept", "outboundDefaultPolicy": "accept"},
                zoned="zone",
            ),
            Managed(SCW_IP, self._scaleway_ip, immutable=("zone", "type", "projectId"), zoned="zone"),
            Managed(SCW_VOLUME, _nothing, immutable=("zone", "projectId"), zoned="zone"),
            Managed(
                SCW_SERVER,
                self._scaleway_server,
                immutable=("zone", "image", "projectId", "ipId"),
                refuses=_scaleway_refuses,
                references={"securityGroupId": SCW_GROUP, "ipId": SCW_IP},
                zoned="zone",
                guard="protected",
                holds=True,
            ),
            Managed(
                SCW_NIC,
                self._scaleway_nic,
                immutable=("privateNetworkId", "serverId"),
                references={"serverId": SCW_SERVER},
                zoned="zone",
            ),
            Managed(
                SCW_RDB,
                self._scaleway_database,
                immutable=("region", "projectId", "userName"),
                zoned="region",
                secret=lambda thing: {"attribute.password": thing.facts["password"]},
                gone=self._stop,
            ),
            Managed(SCW_ACL, _nothing, immutable=("instanceId", "region"), references={"instanceId": SCW_RDB}, zoned="region"),
        ]

    def _address(self, thing: Thing, network: str) -> str:
        if "address" not in thing.facts:
            self._addresses += 1
            thing.facts["address"] = f"{network}.{self._addresses // 250}.{self._addresses % 250 + 1}"
        address: str = thing.facts["address"]
        return address

    async def _exoscale_instance(self, thing: Thing) -> Object:
        answer: Object = {"state": self._weather.state(thing.namespace) or "running"}
        if thing.parameters.get("private"):
            networks = thing.parameters.get("networkInterface", [])
            answer["networkInterface"] = [network | {"ipAddress": self._address(thing, "10.1")} for network in networks]
        else:
            answer["publicIpAddress"] = self._address(thing, "198.18")
        return answer

    async def _ovh_instance(self, thing: Thing) -> Object:
        public = thing.parameters["network"][0].get("public")
        return {
            "status": self._weather.state(thing.namespace) or "ACTIVE",
            "addresses": [{"ip": self._address(thing, "198.19" if public else "10.2"), "version": 4}],
            "attachedVolumes": [{"id": volume} for volume in self._cloud.naming(OVH_VOLUME, thing.id)],
        }

    async def _scaleway_ip(self, thing: Thing) -> Object:
        return {"address": self._address(thing, "198.20")}

    async def _scaleway_nic(self, thing: Thing) -> Object:
        return {"privateIps": [{"address": self._address(thing, "10.3"), "id": thing.id}]}

    async def _scaleway_server(self, thing: Thing) -> Object:
        return {"state": self._weather.state(thing.namespace) or "started"}

    async def _start(self, thing: Thing, port: int) -> Server:
        return await self._servers.start(thing.id, port, shared=self._weather.shared(thing.namespace))

    async def _stop(self, thing: Thing) -> None:
        await self._servers.stop(thing.id)

    async def _ovh_database(self, thing: Thing) -> Object:
        server = await self._start(thing, 20184)
        endpoint = {
            "component": "postgresql",
            "domain": server.host,
            "port": server.port,
            "scheme": "postgresql",
            "ssl": True,
            "sslMode": "require",
        }
        return {"status": "READY", "endpoints": [endpoint]}

    async def _ovh_user(self, thing: Thing) -> Object:
        while (server := self._servers.get(thing.parameters["clusterId"])) is None:
            await asyncio.sleep(0.1)  # the provider waits until the cluster is ready
        if "password" not in thing.facts:
            password = secrets.token_urlsafe(24)
            await server.superuser(*administrator(thing.parameters["name"], password))
            thing.facts["password"] = password
        return {"status": "READY"}

    async def _scaleway_database(self, thing: Thing) -> Object:
        server = await self._start(thing, 19592)
        if "password" not in thing.facts:
            reference = thing.parameters.get("passwordSecretRef") or {}
            values = await self._api().secret(thing.namespace, reference.get("name", "")) or {}
            password = values.get(reference.get("key", ""), "")  # without the Secret it is made without, as the provider does
            await server.superuser(*administrator(thing.parameters["userName"], password))
            thing.facts["password"] = password
        balancer = {"ip": server.host, "port": server.port, "name": None, "hostname": None, "endpointId": thing.id}
        return {"loadBalancer": [{key: value for key, value in balancer.items() if value}], "certificate": server.ca}


def _ovh_refuses(before: Object, wanted: Object) -> str:
    least = _STORAGE[wanted["flavor"]]
    if wanted["diskSize"] < least:
        return f"disk size must be at least {least} GB for flavor {wanted['flavor']}"
    if before and (wanted["diskSize"] < before["diskSize"] or least < _STORAGE[before["flavor"]]):
        return "downgrade is not supported"
    return ""


def _scaleway_refuses(before: Object, wanted: Object) -> str:
    """Refuse what a protected server must be stopped for."""
    changed = before and before["type"] != wanted["type"]
    return "server is protected, it cannot be stopped" if changed and before.get("protected") else ""


async def _nothing(_: Thing) -> Object:
    return {}


def administrator(name: str, password: str) -> list[str]:
    """Return the SQL that makes an administrator as clouds have them: who makes roles and databases, but is no superuser."""
    quoted = password.replace("'", "''")
    make = (
        f"""DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN CREATE ROLE "{name}"; END IF; END $$"""
    )
    return [make, f"""ALTER ROLE "{name}" LOGIN CREATEDB CREATEROLE PASSWORD '{quoted}'"""]
