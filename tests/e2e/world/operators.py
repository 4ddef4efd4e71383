"""CloudNativePG v1.30, External Secrets v2.9, Tailscale's Ingress, and volumes: what each writes for the others to read."""

import asyncio
import secrets
import string
from collections.abc import Mapping
from typing import Final

from tests.e2e.world.api import Api, Kind, Object, conditions, set_finalizer, set_status
from tests.e2e.world.hosts import Hosts
from tests.e2e.world.postgres import Servers
from tests.e2e.world.weather import Weather

CLUSTER: Final = Kind("postgresql.cnpg.io", "v1", "Cluster", "clusters")
EXTERNAL_SECRET: Final = Kind("external-secrets.io", "v1", "ExternalSecret", "externalsecrets")
PUSH_SECRET: Final = Kind("external-secrets.io", "v1alpha1", "PushSecret", "pushsecrets")
PASSWORD: Final = Kind("generators.external-secrets.io", "v1alpha1", "Password", "passwords")
INGRESS: Final = Kind("networking.k8s.io", "v1", "Ingress", "ingresses")
VOLUME_CLAIM: Final = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")

_FINALIZER: Final = "world/operator"
_RETRY: Final = 0.5


class CloudNativePG:
    """Looks after Clusters."""

    def __init__(self, api: Api, servers: Servers, hosts: Hosts, weather: Weather) -> None:
        self._api, self._servers, self._hosts, self._weather = api, servers, hosts, weather

    async def reconcile(self, seen: Object) -> float | None:
        """Do what the operator does."""
        name, namespace, spec = seen["metadata"]["name"], seen["metadata"]["namespace"], seen["spec"]
        key = f"{namespace}/{name}"
        if "deletionTimestamp" in seen["metadata"]:  # the real one has owner references instead
            await self._servers.stop(key)
            self._hosts.forget(f"{name}-rw.{namespace}.svc")
            await set_finalizer(self._api, CLUSTER, seen, _FINALIZER, wanted=False)
            return None
        await set_finalizer(self._api, CLUSTER, seen, _FINALIZER, wanted=True)
        if failure := self._weather.failure(namespace, "Cluster"):
            said = conditions(seen, Ready=(False, "ClusterIsNotReady", failure))
            await set_status(self._api, CLUSTER, seen, {"phase": failure, "conditions": said})
            return _RETRY
        if (server := self._servers.get(key)) is None:
            await asyncio.sleep(self._weather.latency(namespace))
            server = await self._servers.start(key, shared=self._weather.shared(namespace))
        self._hosts.set(f"{name}-rw.{namespace}.svc", [server.host])
        if await self._api.secret(namespace, f"{name}-superuser") is None:
            password = secrets.token_urlsafe(24)
            await server.superuser(f"ALTER ROLE postgres PASSWORD '{password}'")
            values = {
                "username": "postgres",
                "user": "postgres",
                "password": password,
                "dbname": "*",
                "host": f"{name}-rw",
                "port": "5432",
            }
            values["uri"] = f"postgresql://postgres:{password}@{name}-rw.{namespace}:5432/*"
            await self._api.write_secret(seen, namespace, f"{name}-superuser", values, "kubernetes.io/basic-auth")
            await self._api.write_secret(seen, namespace, f"{name}-ca", {"ca.crt": server.ca, "ca.key": "not for anybody"})
        well = conditions(seen, Ready=(True, "ClusterIsReady", "Cluster is Ready"))
        status = {
            "phase": "Cluster in healthy state",
            "instances": spec["instances"],
            "readyInstances": spec["instances"],
            "currentPrimary": f"{name}-1",
            "writeService": f"{name}-rw",
            "image": spec["imageName"],
        }
        await set_status(self._api, CLUSTER, seen, status | {"conditions": well})
        return None


class ExternalSecrets:
    """Looks after ExternalSecrets and PushSecrets of one cluster.

    A store has whatever is asked for, but for keys that begin with "missing"; every store of every cluster is the same.
    """

    def __init__(self, api: Api, store: dict[str, Mapping[str, str]]) -> None:
        self._api, self._store = api, store

    async def fetch(self, seen: Object) -> float | None:
        """Do what the operator does with an ExternalSecret."""
        namespace, spec = seen["metadata"]["namespace"], seen["spec"]
        target, version = spec["target"], f"{seen['metadata']['generation']}-of-metadata"
        try:
            values = await self._values(namespace, spec)
        except LookupError as error:
            said = conditions(seen, Ready=(False, "SecretSyncedError", f"could not get secret data from provider: {error}"))
            await set_status(self._api, EXTERNAL_SECRET, seen, {"conditions": said})
            return _RETRY
        written = await self._api.secret(namespace, target["name"])
        if written is None or (spec.get("refreshPolicy") != "CreatedOnce" and written != values):
            await self._api.write_secret(seen, namespace, target["name"], values, target.get("template", {}).get("type", ""))
        well = conditions(seen, Ready=(True, "SecretSynced", "secret synced"))
        await set_status(self._api, EXTERNAL_SECRET, seen, {"conditions": well, "syncedResourceVersion": version})
        return None

    async def _values(self, namespace: str, spec: Object) -> dict[str, str]:
        values: dict[str, str] = {}
        for source in spec.get("dataFrom", []):
            if "extract" in source:
                values |= self._stored(source["extract"]["key"])
            else:
                generator = await self._api.get(PASSWORD, source["sourceRef"]["generatorRef"]["name"], namespace)
                if generator is None:
                    raise LookupError("the generator is not there")
                values["password"] = _password(generator["spec"])
        for wanted in spec.get("data", []):
            reference = wanted["remoteRef"]
            stored = self._stored(reference["key"])
            values[wanted["secretKey"]] = stored.get(reference.get("property", ""), f"of {reference['key']}")
        return values

    def _stored(self, key: str) -> Mapping[str, str]:
        if (key.startswith("binding") and key not in self._store) or key.startswith("missing"):
            raise LookupError(f"Secret does not exist: {key}")
        return self._store.get(key, {})

    async def push(self, seen: Object) -> float | None:
        """Do what the operator does with a PushSecret."""
        spec, namespace = seen["spec"], seen["metadata"]["namespace"]
        keys = {match["match"]["remoteRef"]["remoteKey"] for match in spec.get("data", [])}
        keys |= {entry["remoteKey"] for entry in spec.get("dataTo", []) if "remoteKey" in entry}
        if "deletionTimestamp" in seen["metadata"]:
            if spec.get("deletionPolicy") == "Delete":
                for key in keys:
                    self._store.pop(key, None)
            await set_finalizer(self._api, PUSH_SECRET, seen, _FINALIZER, wanted=False)
            return None
        await set_finalizer(self._api, PUSH_SECRET, seen, _FINALIZER, wanted=True)
        values = await self._api.secret(namespace, spec["selector"]["secret"]["name"])
        if values is None:
            said = conditions(seen, Ready=(False, "Errored", "could not get source secret"))
            await set_status(self._api, PUSH_SECRET, seen, {"conditions": said})
            return _RETRY
        for key in keys:
            self._store[key] = values
        well = conditions(seen, Ready=(True, "Synced", "PushSecret synced successfully"))
        version = f"{seen['metadata']['generation']}-of-metadata"
        await set_status(self._api, PUSH_SECRET, seen, {"conditions": well, "syncedResourceVersion": version})
        return None


def _password(spec: Object) -> str:
    length, digits, symbols = spec["length"], spec["digits"], spec["symbols"]
    letters = [secrets.choice(string.ascii_letters) for _ in range(length - digits - symbols - 2)] + ["a", "Z"]
    numbers = [secrets.choice(string.digits) for _ in range(digits)]
    marks = [secrets.choice(spec["symbolCharacters"]) for _ in range(symbols)]
    return "".join(sorted(letters + numbers + marks, key=lambda _: secrets.randbits(32)))


class Tailnet:
    """Gives Ingresses of Tailscale's class their names."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def reconcile(self, seen: Object) -> float | None:
        """Do what the operator does."""
        if seen["spec"].get("ingressClassName") == "tailscale":
            host = f"{seen['spec']['tls'][0]['hosts'][0]}.tail1234.ts.net"
            balancer = {"ingress": [{"hostname": host, "ports": [{"port": 443, "protocol": "TCP"}]}]}
            await set_status(self._api, INGRESS, seen, {"loadBalancer": balancer})
        return None


class Volumes:
    """Gives PersistentVolumeClaims their volumes."""

    def __init__(self, api: Api, weather: Weather) -> None:
        self._api, self._weather = api, weather

    async def reconcile(self, seen: Object) -> float | None:
        """Do what a storage driver does."""
        if "deletionTimestamp" not in seen["metadata"]:
            await asyncio.sleep(self._weather.latency(seen["metadata"]["namespace"]))
            size = seen["spec"]["resources"]["requests"]["storage"]
            bound = {"phase": "Bound", "capacity": {"storage": size}, "accessModes": seen["spec"]["accessModes"]}
            await set_status(self._api, VOLUME_CLAIM, seen, bound)
        return None
