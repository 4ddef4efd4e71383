"""How an App is watched: VictoriaMetrics' operator v0.74 reads its metrics and alerts, Grafana shows a dashboard."""

import hashlib
import json
from functools import lru_cache
from typing import Final

from functions.app.database import Binding
from functions.app.order import Order, Part
from functions.kit import names
from functions.kit.manifests import manifest

_GROUP: Final = "operator.victoriametrics.com/v1beta1"
# What the sidecar of Grafana's chart looks for.
_DASHBOARD: Final = {"grafana_dashboard": "1"}


def parts(order: Order, bound: list[Binding]) -> list[Part]:
    """Compose the scrape where the claim has metrics, and alert rules and a dashboard for every App."""
    if not order.settings.monitoring:
        return []
    found = []
    metrics, name = order.claim.metrics, order.name
    if metrics is not None:
        scrape = {
            "selector": {"matchLabels": order.identity},
            "endpoints": [{"port": "metrics" if order.metrics_port is not None else "http", "path": metrics.path}],
        }
        found.append(Part("scrape", manifest((_GROUP, "VMServiceScrape"), name, order.labels, scrape)))
    rules = {"groups": [{"name": f"{order.namespace}/{name}", "rules": [*_rules(order), *_database_rules(order, bound)]}]}
    dashboard = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names.join(name, "dashboard"), "labels": {**order.labels, **_DASHBOARD}},
        "data": {f"{order.namespace}-{name}.json": _dashboard(order.namespace, name)},
    }
    return [*found, Part("rules", manifest((_GROUP, "VMRule"), name, order.labels, rules)), Part("dashboard", dashboard)]


def _rules(order: Order) -> list[dict[str, object]]:
    """Alert on what kube-state-metrics and the kubelet tell of every App."""
    where = f'namespace="{order.namespace}"'
    container = f'{where},container="{order.name}"'
    replicas = f'kube_deployment_status_replicas_available{{{where},deployment="{order.name}"}}'
    return [
        _rule(order, "AppDown", f"{replicas} == 0", "5m", "critical", "no replica serves"),
        _rule(
            order,
            "AppRestarts",
            f"max by (pod) (increase(kube_pod_container_status_restarts_total{{{container}}}[15m])) > 3",
            "0m",
            "warning",
            "{{ $labels.pod }} restarted more than 3 times in 15 minutes",
        ),
        _rule(
            order,
            "AppMemoryNearLimit",
            f"{_memory(container)} / {_memory_limit(container)} > 0.9",
            "10m",
            "warning",
            "{{ $labels.pod }} uses more than 90 % of its memory; above it, it is killed: choose a larger size",
        ),
    ]


def _database_rules(order: Order, bound: list[Binding]) -> list[dict[str, object]]:
    """Alert on a database's volume. A cloud's own databases tell their figures to that cloud only."""
    rules = []
    for binding in bound:
        # CloudNativePG v1.30 calls the Service that writes CLUSTER-rw, and the volumes CLUSTER-NUMBER.
        cluster, suffix, _ = binding.host.partition(".")[0].rpartition("-rw")
        if binding.provider != "kubernetes" or not suffix or not cluster.replace("-", "").isalnum():
            continue
        volume = f'namespace="{order.namespace}",persistentvolumeclaim=~"{cluster}-[0-9]+"'
        full = f"kubelet_volume_stats_used_bytes{{{volume}}} / kubelet_volume_stats_capacity_bytes{{{volume}}} > 0.85"
        told = f"the volume of the PostgreSQL claim {binding.claim} is more than 85 % full: raise its storageGB"
        rules.append(_rule(order, "DatabaseNearlyFull", full, "10m", "warning", told))
    return rules


def _rule(order: Order, alert: str, expression: str, lasting: str, severity: str, told: str) -> dict[str, object]:
    return {
        "alert": alert,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": severity, "namespace": order.namespace, "app": order.name},
        "annotations": {"summary": f"{order.namespace}/{order.name}: {told}"},
    }


def _memory(container: str) -> str:
    return f"max by (pod) (container_memory_working_set_bytes{{{container}}})"


def _memory_limit(container: str) -> str:
    return f'max by (pod) (kube_pod_container_resource_limits{{{container},resource="memory"}})'


@lru_cache(maxsize=256)
def _dashboard(namespace: str, name: str) -> str:
    """Return the dashboard as Grafana reads it: replicas, restarts, cpu, and memory beside its limit."""
    where = f'namespace="{namespace}"'
    container = f'{where},container="{name}"'
    deployment = f'{where},deployment="{name}"'
    panels = {
        "Replicas": {
            "desired": f"kube_deployment_spec_replicas{{{deployment}}}",
            "available": f"kube_deployment_status_replicas_available{{{deployment}}}",
        },
        "Restarts": {"{{pod}}": f"max by (pod) (kube_pod_container_status_restarts_total{{{container}}})"},
        "CPU, cores": {"{{pod}}": f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{container}}}[5m]))"},
        "Memory, bytes": {"{{pod}}": _memory(container), "{{pod}} limit": _memory_limit(container)},
    }
    body = {
        "uid": hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:40],
        "title": f"{namespace}/{name}",
        "tags": ["gravitek"],
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "panels": [
            {
                "id": number + 1,
                "title": title,
                "type": "timeseries",
                "gridPos": {"h": 8, "w": 12, "x": number % 2 * 12, "y": number // 2 * 8},
                "targets": [
                    {"refId": chr(ord("A") + place), "expr": expression, "legendFormat": legend}
                    for place, (legend, expression) in enumerate(targets.items())
                ],
            }
            for number, (title, targets) in enumerate(panels.items())
        ],
    }
    return json.dumps(body, indent=1)
