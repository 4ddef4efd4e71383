"""PostgreSQL in this cluster: CloudNativePG v1.30."""

from typing import Final

from functions.kit import names
from functions.kit.composition import Requirement, Resource
from functions.kit.manifests import manifest
from functions.kit.observed import Observed, ObservedResource
from functions.kit.progress import judged
from functions.kit.request import Request
from functions.kit.secrets import value
from functions.postgresql.server import ADMIN, SERVER, Credentials, Live, Order, Server, admin_secret
from functions.postgresql.settings import Kubernetes

SERVER_KIND: Final = ("postgresql.cnpg.io/v1", "Cluster")
SETTINGS: Final = Kubernetes
FOUND_BY_NAME: Final = False
HAS_STORAGE: Final = True
SETS_RETENTION: Final = False
UPGRADES: Final = True
# Nothing outside of the cluster reaches it.
NEEDS_CIDRS: Final = False

_PORT: Final = 5432
_METRICS_PORT: Final = 9187
_STATUS_PORT: Final = 8000
_SUPERUSER: Final = "superuser"
# What the Cluster itself does not say.
_REGION_LABEL: Final = "platform.gravitek.io/region"
_VERSION_LABEL: Final = "platform.gravitek.io/version"


def live(server: ObservedResource) -> Live:
    """Read what the observed server is."""
    size = server.text("spec", "storage", "size").removesuffix("Gi")
    return Live(
        region=server.label(_REGION_LABEL),
        version=_major(server.text("status", "image")) or server.label(_VERSION_LABEL),
        storage_gb=int(size) if size.isascii() and size.isdigit() else None,
    )


def server(order: Order[Kubernetes], observed: Observed, request: Request) -> Server:
    """Compose the Cluster, who may reach it, its backup and metrics, and the Secret for provider-sql."""
    claim, settings = order.claim, order.settings
    if claim.version not in settings.images:
        raise request.settings.missing(f"images.{claim.version}", f"the image that runs PostgreSQL {claim.version}")
    name = names.join(order.name, "pg")
    seen, given = observed.get(SERVER), request.required(_SUPERUSER)
    endpoint = (f"{name}-rw.{order.namespace}.svc", _PORT) if seen is not None and seen.text("status", "writeService") else None
    # The superuser's own Secret names a host that only pods of this namespace resolve.
    admin = admin_secret(order, observed, endpoint, "postgres", value(given, "password") if given else "")
    size = settings.sizes[claim.size]
    return Server(
        resources=[judged(SERVER, _cluster(order, name), seen), *_around(order, name, observed), *admin],
        plan=f"{size.instances} x {size.cpu} cpu {size.memory}",
        endpoint=endpoint,
        credentials=Credentials(f"{name}-{ADMIN}", username="postgres", database="postgres"),
        reachable=bool(admin),
        requirements=[Requirement(_SUPERUSER, "v1", "Secret", f"{name}-superuser", order.namespace)] if seen else [],
        warnings=_warnings(order),
    )


def _major(image: str) -> str:
    """Read PostgreSQL's major version off an image's tag, such as 17.6-system-trixie; "" where it does not begin with one."""
    major = image.rpartition(":")[2].partition(".")[0].partition("-")[0]
    return major if major.isascii() and major.isdigit() else ""


def _cluster(order: Order[Kubernetes], name: str) -> dict[str, object]:
    claim, settings = order.claim, order.settings
    size = settings.sizes[claim.size]
    storage: dict[str, object] = {"size": f"{order.storage_gb}Gi"}
    if settings.storage_class is not None:
        storage["storageClass"] = settings.storage_class
    labels = {**order.labels, _REGION_LABEL: order.region, _VERSION_LABEL: claim.version}
    spec: dict[str, object] = {
        "instances": size.instances,
        "imageName": settings.images[claim.version],
        # CloudNativePG makes one database of its own; ours come from provider-sql, as everywhere.
        "bootstrap": {"initdb": {"database": "gravitek", "owner": "gravitek"}},
        "storage": storage,
        "resources": {"requests": {"cpu": size.cpu, "memory": size.memory}, "limits": {"memory": size.memory}},
        "enableSuperuserAccess": True,
        # With one instance the budget would only keep its node from ever being drained.
        "enablePDB": size.instances > 1,
    }
    if claim.settings:
        spec["postgresql"] = {"parameters": claim.settings}
    if settings.backup_plugin is not None:
        plugin = settings.backup_plugin
        spec["plugins"] = [{"name": plugin.name, "isWALArchiver": True, "parameters": plugin.parameters}]
    return {
        "apiVersion": SERVER_KIND[0],
        "kind": SERVER_KIND[1],
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }


def _around(order: Order[Kubernetes], name: str, observed: Observed) -> list[Resource]:
    """Compose what stands around the Cluster. None of these has a condition Ready, so to exist is to be ready."""
    bodies = {"network-policy": manifest(("networking.k8s.io/v1", "NetworkPolicy"), name, order.labels, _policy(order, name))}
    plugin = order.settings.backup_plugin
    if plugin is not None:
        hour, _, minute = (order.claim.backup.time or order.settings.backup_time).partition(":")
        backup = {
            "schedule": f"0 {int(minute)} {int(hour)} * * *",  # six fields: seconds first
            "cluster": {"name": name},
            "method": "plugin",
            "pluginConfiguration": {"name": plugin.name},
            "backupOwnerReference": "cluster",
        }
        bodies["backup"] = manifest(("postgresql.cnpg.io/v1", "ScheduledBackup"), name, order.labels, backup)
    if order.settings.pod_scrape:
        scrape = {"selector": {"matchLabels": {"cnpg.io/cluster": name}}, "podMetricsEndpoints": [{"port": "metrics"}]}
        bodies["metrics"] = manifest(("operator.victoriametrics.com/v1beta1", "VMPodScrape"), name, order.labels, scrape)
    return [judged(key, body, observed.get(key), ready=True) for key, body in bodies.items()]


def _policy(order: Order[Kubernetes], name: str) -> dict[str, object]:
    """Let in the claim's namespace, the platform's namespaces, the allowed networks, and the instances among themselves."""
    instances: dict[str, object] = {"matchLabels": {"cnpg.io/cluster": name}}
    platform = {
        "matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": order.settings.platform_namespaces}
        ]
    }
    clients = [{"podSelector": {}}, *({"ipBlock": {"cidr": cidr}} for cidr in order.cidrs)]
    return {
        "podSelector": instances,
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": [{"podSelector": instances}]},
            {
                "from": [{"namespaceSelector": platform}],
                "ports": [_tcp(_PORT), _tcp(_STATUS_PORT), _tcp(_METRICS_PORT)],
            },
            {"from": clients, "ports": [_tcp(_PORT)]},
        ],
    }


def _tcp(port: int) -> dict[str, object]:
    return {"protocol": "TCP", "port": port}


def _warnings(order: Order[Kubernetes]) -> list[str]:
    warnings = []
    if order.claim.maintenance.day or order.claim.maintenance.time:
        warnings.append("spec.maintenance is not used: on kubernetes nothing is restarted by itself")
    if order.claim.backup.time and order.settings.backup_plugin is None:
        warnings.append("spec.backup.time is not used: the settings name no backupPlugin, so nothing is backed up")
    return warnings
