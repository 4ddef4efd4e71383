"""provider-kubernetes v1.2.1 and its Objects, and vshn/provider-exoscale's PostgreSQL, which stands in one."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final

from lightkube import ApiError

from tests.e2e.world.api import Api, Kind, Object, conditions, set_finalizer, set_status
from tests.e2e.world.clouds import administrator
from tests.e2e.world.controller import Controller, Key
from tests.e2e.world.postgres import Servers
from tests.e2e.world.weather import Weather

OBJECT: Final = Kind("kubernetes.m.crossplane.io", "v1alpha1", "Object", "objects")
VSHN: Final = Kind("exoscale.crossplane.io", "v1", "PostgreSQL", "postgresqls", namespaced=False)

# What an Object of this suite may hold.
HELD: Final = tuple(
    Kind(*names)
    for names in (
        ("", "v1", "ConfigMap", "configmaps"),
        ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
        ("", "v1", "Service", "services"),
        ("", "v1", "ServiceAccount", "serviceaccounts"),
        ("apps", "v1", "Deployment", "deployments"),
        ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        ("batch", "v1", "Job", "jobs"),
        ("external-secrets.io", "v1", "ExternalSecret", "externalsecrets"),
        ("networking.k8s.io", "v1", "Ingress", "ingresses"),
        ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
        ("operator.victoriametrics.com", "v1beta1", "VMRule", "vmrules"),
        ("operator.victoriametrics.com", "v1beta1", "VMServiceScrape", "vmservicescrapes"),
        ("operator.victoriametrics.com", "v1beta1", "VMPodScrape", "vmpodscrapes"),
        ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    )
)
_KINDS: Final = {kind.kind: kind for kind in (*HELD, VSHN)}

_FINALIZER: Final = "finalizer.managedresource.crossplane.io"
_RETRY: Final = 0.5


class Objects:
    """Looks after Objects.

    Attributes:
        controller: Of the Objects.
    """

    def __init__(self, api: Api, targets: Mapping[str, Api]) -> None:
        self._api, self._targets = api, targets
        self._held: dict[tuple[str, str, str, str], Key] = {}
        self.controller = Controller(api, OBJECT, self.reconcile)

    def watch(self, api: Api, kind: Kind) -> Controller:
        """Return what wakes an Object when what it holds has changed."""

        async def wake(seen: Object) -> None:
            self._wake(api, kind, seen["metadata"].get("namespace", ""), seen["metadata"]["name"])

        return Controller(api, kind, wake)

    def _wake(self, api: Api, kind: Kind, namespace: str, name: str) -> None:
        key = self._held.get((api.cluster, kind.kind, namespace, name))
        if key is not None and self.controller.seen.get(key, {}).get("spec", {}).get("watch"):
            self.controller.again(key)

    async def reconcile(self, seen: Object) -> float | None:
        """Do what provider-kubernetes does."""
        metadata, manifest = seen["metadata"], seen["spec"]["forProvider"]["manifest"]
        target, kind = self._targets[seen["spec"]["providerConfigRef"]["name"]], _KINDS[manifest["kind"]]
        name, namespace = manifest["metadata"].get("name", metadata["name"]), manifest["metadata"].get("namespace", "")
        self._held[target.cluster, kind.kind, namespace, name] = (metadata["namespace"], metadata["name"])
        policies = seen["spec"].get("managementPolicies", ["*"])
        if "deletionTimestamp" in metadata:
            return await self._delete(seen, target, kind, (namespace, name), deletes="*" in policies or "Delete" in policies)
        await set_finalizer(self._api, OBJECT, seen, _FINALIZER, wanted=True)
        live = await target.get(kind, name, namespace or None)
        if "*" in policies or "Update" in policies:
            try:
                live = await target.apply(kind, manifest, f"provider-kubernetes/{metadata['name']}")
            except ApiError as error:
                failed = conditions(seen, Synced=(False, "ReconcileError", f"cannot apply object: {error}"))
                await set_status(self._api, OBJECT, seen, {"conditions": failed})
                return _RETRY
        live = dict(live or {})
        live["metadata"] = {key: value for key, value in live.get("metadata", {}).items() if key != "managedFields"}
        said = {"Synced": (True, "ReconcileSuccess", ""), "Ready": (True, "Available", "")}
        if seen["spec"].get("readiness", {}).get("policy") == "DeriveFromObject":
            ready = any(c["type"] == "Ready" and c["status"] == "True" for c in live.get("status", {}).get("conditions", []))
            said["Ready"] = (True, "Available", "") if ready else (False, "Unavailable", "")
        await set_status(self._api, OBJECT, seen, {"atProvider": {"manifest": live}, "conditions": conditions(seen, **said)})
        return None

    async def _delete(self, seen: Object, target: Api, kind: Kind, key: Key, *, deletes: bool) -> float | None:
        namespace, name = key
        if deletes and await target.get(kind, name, namespace or None) is not None:
            await target.delete(kind, name, namespace or None)
            return _RETRY
        await set_finalizer(self._api, OBJECT, seen, _FINALIZER, wanted=False)
        return None


class Vshn:
    """Looks after vshn/provider-exoscale's PostgreSQL: operator/postgresqlcontroller at v1.0.2."""

    def __init__(self, api: Api, servers: Servers, weather: Weather) -> None:
        self._api, self._servers, self._weather = api, servers, weather
        self._passwords: dict[str, str] = {}

    async def reconcile(self, seen: Object) -> float | None:
        """Do what the provider does."""
        name, parameters = seen["metadata"]["name"], seen["spec"]["forProvider"]
        target = seen["spec"]["writeConnectionSecretToRef"]
        if "deletionTimestamp" in seen["metadata"]:
            if parameters.get("terminationProtection"):
                return await self._say(seen, "delete failed: cannot delete: termination protection is on")
            await self._servers.stop(name)
            await set_finalizer(self._api, VSHN, seen, _FINALIZER, wanted=False)
            return None
        await set_finalizer(self._api, VSHN, seen, _FINALIZER, wanted=True)
        if failure := self._weather.failure(target["namespace"], "PostgreSQL"):
            return await self._say(seen, f"create failed: {failure}")
        if (server := self._servers.get(name)) is None:
            making = conditions(seen, Ready=(False, "Creating", ""), Synced=(True, "ReconcileSuccess", ""))
            await set_status(self._api, VSHN, seen, {"conditions": making})
            await asyncio.sleep(self._weather.latency(target["namespace"]))
            server = await self._servers.start(name, shared=self._weather.shared(target["namespace"]))
        if await self._api.secret(target["namespace"], target["name"]) is None:
            password = self._passwords.setdefault(name, secrets.token_urlsafe(24))
            await server.superuser(*administrator("avnadmin", password))
            values = {
                "POSTGRESQL_USER": "avnadmin",
                "POSTGRESQL_PASSWORD": password,
                "POSTGRESQL_DB": "defaultdb",
                "POSTGRESQL_HOST": server.host,
                "POSTGRESQL_PORT": str(server.port),
                "POSTGRESQL_URL": f"postgres://avnadmin:{password}@{server.host}:{server.port}/defaultdb?sslmode=require",
                "ca.crt": server.ca,
            }
            await self._api.write_secret(seen, target["namespace"], target["name"], values)
        answer = {
            "nodeStates": [{"name": f"{name}-1", "role": "master", "state": "running"}],
            **{key: parameters[key] for key in ("size", "version", "terminationProtection") if key in parameters},
        }
        well = conditions(seen, Ready=(True, "Running", ""), Synced=(True, "ReconcileSuccess", ""))
        await set_status(self._api, VSHN, seen, {"atProvider": answer, "conditions": well})
        return None

    async def _say(self, seen: Object, problem: str) -> float:
        await set_status(self._api, VSHN, seen, {"conditions": conditions(seen, Synced=(False, "ReconcileError", problem))})
        return _RETRY
