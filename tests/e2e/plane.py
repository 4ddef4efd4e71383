"""etcd, API servers and controller managers, as in any cluster; there are two clusters: ours, and the one for Apps on clouds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.certificates import Authority
from tests.e2e.programs import FOLDER, Programs, built, run, until

ETCD: Final = "http://127.0.0.1:2379"

# Of the controllers only these have something to do here; there are no nodes, and volumes are given by the simulated world.
CONTROLLERS: Final = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "namespace-controller",
    "persistentvolumeclaim-protection-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "ttl-after-finished-controller",
)


@dataclass(frozen=True)
class Cluster:
    """A cluster.

    Attributes:
        name: Of it.
        port: Of its API server, on loopback.
        folder: With its certificates and kubeconfigs.
    """

    name: str
    port: int
    folder: Path

    @property
    def admin(self) -> Path:
        """The kubeconfig of an administrator."""
        return self.folder / "admin.kubeconfig"

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl as an administrator; return what it printed.

        Raises:
            Failed: Where it fails, with what it says.
        """
        return run(
            built("kubectl"), f"--kubeconfig={self.admin}", f"--cache-dir={self.folder / 'cache'}", *arguments, given=given
        )

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get` finds, as JSON; of a list the items."""
        found = json.loads(self.kubectl("get", *arguments, "--output=json", "--ignore-not-found") or "null")
        return found["items"] if isinstance(found, dict) and found.get("kind", "").endswith("List") else found

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects as `kubectl apply --server-side` does."""
        if objects:
            self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given="\n---\n".join(map(json.dumps, objects)))

    def patch(self, found: dict[str, Any], change: dict[str, Any]) -> None:
        """Merge a change into an object."""
        group, _, version = found["apiVersion"].rpartition("/")
        kind = f"{found['kind']}.{version}.{group}" if group else found["kind"]
        space = f"--namespace={found['metadata'].get('namespace', '')}"
        self.kubectl("patch", kind, found["metadata"]["name"], space, "--type=merge", f"--patch={json.dumps(change)}")

    def kubeconfig_of(self, account: str, namespace: str) -> Path:
        """Write a kubeconfig of a ServiceAccount."""
        token = self.kubectl("create", "token", account, f"--namespace={namespace}", "--duration=24h").strip()
        return self._kubeconfig(account, {"token": token})

    def kubeconfig_with(self, name: str, certificate: Path) -> Path:
        """Write a kubeconfig of who holds a certificate."""
        held = {"client-certificate": str(certificate / "tls.crt"), "client-key": str(certificate / "tls.key")}
        return self._kubeconfig(name, held)

    def _kubeconfig(self, name: str, user: dict[str, str]) -> Path:
        path = self.folder / f"{name}.kubeconfig"
        server = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": str(self.folder / "ca.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.name, "cluster": server}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": name}}],
            "current-context": self.name,
        }
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path


def store(programs: Programs) -> None:
    """Start etcd, for all clusters."""
    programs.start("etcd", [built("etcd"), f"--data-dir={FOLDER / 'etcd'}", "--unsafe-no-fsync", "--log-level=error"])


def start(programs: Programs, name: str, port: int) -> Cluster:
    """Start a cluster, and wait until it answers."""
    cluster = _start_server(programs, name, port)
    until(f"API server {name}", lambda: _answers(programs, cluster), pause=0.2)
    _start_controllers(programs, cluster)
    return cluster


def _start_server(programs: Programs, name: str, port: int) -> Cluster:
    cluster = Cluster(name, port, FOLDER / name)
    authority = Authority(cluster.folder)
    hosts = ("IP:127.0.0.1", "DNS:localhost", "DNS:kubernetes.default.svc")
    server = authority.issue("server", hosts=hosts)
    cluster.kubeconfig_with("admin", authority.issue("administrator", subject="/O=system:masters/CN=admin"))
    command = [
        built("kube-apiserver"),
        f"--etcd-servers={ETCD}",
        f"--etcd-prefix=/{name}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={server / 'tls.crt'}",
        f"--tls-private-key-file={server / 'tls.key'}",
        f"--client-ca-file={server / 'ca.crt'}",
        "--anonymous-auth=false",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--service-account-key-file={server / 'tls.crt'}",
        f"--service-account-signing-key-file={server / 'tls.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--profiling=false",
    ]
    # Garbage is collected less often than by default: less CPU, for memory that is there.
    programs.start(f"kube-apiserver-{name}", command, {"GOGC": "400", "GOMEMLIMIT": "3GiB"})
    return cluster


def _answers(programs: Programs, cluster: Cluster) -> bool:
    programs.alive(f"kube-apiserver-{cluster.name}")
    return cluster.kubectl("get", "--raw=/readyz") == "ok"


def _start_controllers(programs: Programs, cluster: Cluster) -> None:
    command = [
        built("kube-controller-manager"),
        f"--kubeconfig={cluster.admin}",
        "--bind-address=127.0.0.1",
        f"--secure-port={cluster.port + 100}",
        f"--service-account-private-key-file={cluster.folder / 'server' / 'tls.key'}",
        f"--root-ca-file={cluster.folder / 'ca.crt'}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--concurrent-gc-syncs=10",
    ]
    programs.start(f"kube-controller-manager-{cluster.name}", command)
