"""What runs an App: its Deployment, and what stands around that."""

from typing import Final

from functions.app import pod
from functions.app.database import Binding
from functions.app.order import DEPLOYMENT, Order, OrderedVolume, Part, renewed
from functions.kit.manifests import manifest
from functions.kit.observed import ObservedResource

DEPLOYMENT_KIND: Final = ("apps/v1", "Deployment")

_CLAIM_KIND: Final = ("v1", "PersistentVolumeClaim")
# Of the cpu that a replica asks for; above it there are more replicas.
_BUSY_PERCENT: Final = 80
# Long enough for the Service and the proxies to send nothing more to a pod that ends.
_DRAIN_SECONDS: Final = 5
_GRACE_SECONDS: Final = 30
# So long may a start take before it counts as failed.
_START_SECONDS: Final = 300
_PERIOD_SECONDS: Final = 5


def around(order: Order) -> list[Part]:
    """Compose the service account, the volumes, and what keeps several replicas."""
    name = order.name
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "labels": order.labels},
        "automountServiceAccountToken": False,
    }
    parts = [Part("account", account), *(_volume(order, volume) for volume in order.volumes)]
    if order.scales:
        # Without the policy a pod that never gets ready would keep its node from being drained.
        budget = {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": {"matchLabels": order.selector}}
        scaler = {
            "scaleTargetRef": {"apiVersion": DEPLOYMENT_KIND[0], "kind": DEPLOYMENT_KIND[1], "name": name},
            "minReplicas": order.claim.replicas.min,
            "maxReplicas": order.claim.replicas.most,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": _BUSY_PERCENT}},
                }
            ],
        }
        parts += [
            Part("budget", manifest(("policy/v1", "PodDisruptionBudget"), name, order.labels, budget)),
            Part("autoscaler", manifest(("autoscaling/v2", "HorizontalPodAutoscaler"), name, order.labels, scaler)),
        ]
    return parts


def deployment(order: Order, bound: list[Binding], *, held: bool) -> Part:
    """Compose the Deployment.

    Args:
        order: The order.
        bound: The databases; all complete unless the Deployment is held.
        held: Whether its pods stay as they are, for what a new version needs is not there yet.
    """
    seen = order.live.get(DEPLOYMENT)
    template = pod.as_made(seen) if held else None
    spec: dict[str, object] = {
        "selector": {"matchLabels": order.selector},
        # A volume is mounted on one node at a time: the old pod goes first.
        "strategy": {"type": "Recreate"}
        if order.volumes
        else {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": _template(order, bound) if template is None else template,
    }
    if not order.scales:
        spec["replicas"] = 1
    return Part(DEPLOYMENT, manifest(DEPLOYMENT_KIND, order.name, order.labels, spec), available)


def available(seen: ObservedResource) -> str:
    """Say why a Deployment does not serve, "" where it does."""
    if seen.is_true("Available"):
        return ""
    desired, ready = seen.number("spec", "replicas") or 0, seen.number("status", "availableReplicas") or 0
    return _stuck(seen) or f"{ready} of {desired} replicas are available"


def rolling(seen: ObservedResource, wanted: str) -> tuple[str, str]:
    """Say how a rollout goes.

    Args:
        seen: The Deployment.
        wanted: The claim's image.

    Returns:
        What it fails at, and where it does not fail, what it waits for; both "" once every replica is new.
    """
    if image(seen) != wanted:
        return "", f"{wanted} is about to be rolled out"
    if stuck := _stuck(seen):
        return stuck, ""
    new, desired = renewed(seen)
    return "", "" if new >= desired else f"{new} of {desired} replicas run the new version"


def image(seen: ObservedResource | None) -> str:
    """Return the image that a Deployment runs, "" where there is none, or none has been made of it."""
    return pod.image(seen) if seen is not None and seen.inside("status").struct.fields else ""


def _stuck(seen: ObservedResource) -> str:
    """Say what a Deployment fails at: it cannot make pods, or they do not become ready in time."""
    if seen.is_true("ReplicaFailure"):
        return seen.message("ReplicaFailure")
    told = seen.said("Progressing").rstrip(".")
    return f"{told}; see kubectl describe pods -l {_query(seen)}" if told else ""


def _query(seen: ObservedResource) -> str:
    return f"app.kubernetes.io/instance={seen.text('metadata', 'name')}"


def _volume(order: Order, volume: OrderedVolume) -> Part:
    spec: dict[str, object] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{volume.size_gb}Gi"}},
    }
    seen = order.live.get(volume.key)
    # What it was made with stays, for Kubernetes changes nothing of a volume but its size.
    storage_class = seen.text("spec", "storageClassName") if seen else order.settings.storage_class
    if storage_class:
        spec["storageClassName"] = storage_class
    body = manifest(_CLAIM_KIND, volume.claim_name(order.name), order.labels, spec)
    return Part(volume.key, body, _mounted, kept=order.claim.deletion_protection)


def _mounted(seen: ObservedResource) -> str:
    phase = seen.text("status", "phase")
    return "" if phase == "Bound" else f"it is {phase or 'being made'}"


def _template(order: Order, bound: list[Binding]) -> dict[str, object]:
    claim = order.claim
    container: dict[str, object] = {
        "lifecycle": {"preStop": {"sleep": {"seconds": _DRAIN_SECONDS}}},
        "volumeMounts": [{"name": f"volume-{volume.name}", "mountPath": volume.mount_path} for volume in order.volumes],
    }
    if claim.command:
        container["command"] = claim.command
    if claim.args:
        container["args"] = claim.args
    if ports := _ports(order):
        container["ports"] = ports
    if claim.port is not None:
        container |= _probes(order)
    spec: dict[str, object] = {
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "volumes": [
            {
                "name": f"volume-{volume.name}",
                "persistentVolumeClaim": {"claimName": volume.claim_name(order.name)},
            }
            for volume in order.volumes
        ],
    }
    if order.scales:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": order.selector},
                "matchLabelKeys": ["pod-template-hash"],
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]
    return pod.template(order, bound, "app", container, spec)


def _ports(order: Order) -> list[dict[str, object]]:
    ports = {"http": order.claim.port, "metrics": order.metrics_port}
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items() if port is not None]


def _probes(order: Order) -> dict[str, object]:
    """Ask the paths that the claim names; where it names none, whether the port is open."""
    health = order.claim.health

    def probe(path: str | None, failures: int) -> dict[str, object]:
        how = {"httpGet": {"path": path, "port": "http"}} if path else {"tcpSocket": {"port": "http"}}
        return {**how, "periodSeconds": _PERIOD_SECONDS, "timeoutSeconds": 3, "failureThreshold": failures}

    return {
        "startupProbe": probe(health.liveness or health.readiness, _START_SECONDS // _PERIOD_SECONDS),
        "readinessProbe": probe(health.readiness, 3),
        "livenessProbe": probe(health.liveness, 6),
    }
