"""Who reaches an App, and how: a Service, the tailnet, other Apps. Never the internet."""

from typing import Final

from functions.app.order import Order, Part, identity
from functions.kit.manifests import manifest
from functions.kit.observed import ObservedResource

INGRESS: Final = "ingress"
# Not 443: behind that the proxy would expect TLS.
_HTTP: Final = 80
# On every proxy of the Tailscale operator: cmd/k8s-operator/sts.go, v1.102.3.
_PROXIES: Final = {"tailscale.com/managed": "true"}


def parts(order: Order) -> list[Part]:
    """Compose the Service, the Ingress on the tailnet, and the NetworkPolicy that lets in whoever shall be."""
    policy: dict[str, object] = {"podSelector": {"matchLabels": order.identity}, "policyTypes": ["Ingress"]}
    if allowed := _allowed(order):
        policy["ingress"] = (
            allowed  # without it nobody is let in; an empty list is not stored, so that every pass would be a change
        )
    found = [Part("network-policy", manifest(("networking.k8s.io/v1", "NetworkPolicy"), order.name, order.labels, policy))]
    if ports := _ports(order):
        service = {"type": "ClusterIP", "selector": order.selector, "ports": ports}
        found.append(Part("service", manifest(("v1", "Service"), order.name, order.labels, service)))
    if order.claim.expose.tailscale is not None:
        found.append(_ingress(order))
    return found


def url(order: Order) -> str:
    """Return where the App is found on the tailnet, "" until the tailnet says so."""
    seen = order.live.get(INGRESS)
    hostname = _hostname(seen) if seen and order.claim.expose.tailscale else ""
    return f"https://{hostname}" if hostname else ""


def _ports(order: Order) -> list[dict[str, object]]:
    ports: list[dict[str, object]] = []
    if order.claim.port is not None:
        ports.append({"name": "http", "port": _HTTP, "targetPort": "http", "protocol": "TCP"})
    if order.metrics_port is not None:
        ports.append({"name": "metrics", "port": order.metrics_port, "targetPort": "metrics", "protocol": "TCP"})
    return ports


def _ingress(order: Order) -> Part:
    tailscale = order.claim.expose.tailscale
    hostname, tags = (tailscale.hostname, tailscale.tags) if tailscale else ("", ())
    spec = {
        "ingressClassName": "tailscale",
        "defaultBackend": {"service": {"name": order.name, "port": {"name": "http"}}},
        "tls": [{"hosts": [hostname]}],
    }
    body = manifest(("networking.k8s.io/v1", "Ingress"), order.name, order.labels, spec)
    if tags:
        body["metadata"] = {
            "name": order.name,
            "labels": order.labels,
            "annotations": {"tailscale.com/tags": ",".join(tags)},
        }
    return Part(INGRESS, body, _on_the_tailnet)


def _on_the_tailnet(seen: ObservedResource) -> str:
    return "" if _hostname(seen) else "the Tailscale operator has not given it an address yet"


def _hostname(seen: ObservedResource) -> str:
    given = seen.objects("status", "loadBalancer", "ingress")
    return given[0].text("hostname") if given else ""


def _allowed(order: Order) -> list[dict[str, object]]:
    """Let in the tailnet's proxies and named Apps by the App's port, and what reads metrics by theirs."""
    claim, settings = order.claim, order.settings
    http = [{"protocol": "TCP", "port": "http"}]
    rules: list[dict[str, object]] = []
    if claim.expose.tailscale is not None:
        proxies = {**_namespaces(settings.tailscale_namespace), "podSelector": {"matchLabels": _PROXIES}}
        rules.append({"from": [proxies], "ports": http})
    if claim.expose.apps:
        callers = [
            {
                **(_namespaces(caller.namespace) if caller.namespace else {}),
                "podSelector": {"matchLabels": identity(caller.name)},
            }
            for caller in claim.expose.apps
        ]
        rules.append({"from": callers, "ports": http})
    if order.scraped:
        port = "metrics" if order.metrics_port is not None else "http"
        readers = _namespaces(*settings.metrics_namespaces)
        rules.append({"from": [readers], "ports": [{"protocol": "TCP", "port": port}]})
    return rules


def _namespaces(*names: str) -> dict[str, object]:
    expression = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}
    return {"namespaceSelector": {"matchExpressions": [expression]}}
