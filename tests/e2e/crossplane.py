"""Crossplane as its chart installs it, and the suite as its packages install it."""

import base64
import shutil
import signal
import urllib.request
from pathlib import Path
from typing import Any, Final

import yaml

from package.build import CONFIGURATION, DIST, KINDS, SOURCES, built_for, sources
from package.build import REGISTRY as PUBLISHED
from package.images import architecture_here
from tests import crds
from tests.e2e.plane import Cluster
from tests.e2e.programs import FOLDER, NotReady, Programs, built, run, until
from tests.e2e.world.__main__ import PROVIDERS
from tools.crds import providers
from tools.crossplane import SETTINGS, cli, core_module

NAMESPACE: Final = "crossplane-system"
REGISTRY: Final = "127.0.0.1:5000"
VERSION: Final = "v0.1.0"
# That the packages name; all are mirrored here.
HOSTS: Final = ("ghcr.io", "xpkg.crossplane.io", "xpkg.upbound.io")

# Functions listen on 9443 of their addresses, so the core's webhooks, which take all addresses, must listen elsewhere.
_WEBHOOKS: Final = 9444
_METRICS: Final = "8082"
_VALUES: Final = (
    f"webhooks.port={_WEBHOOKS}",
    "provider.defaultActivations=null",
    "leaderElection=false",
    "rbacManager.leaderElection=false",
    # As docs/operating.md says; downgrades, since a test goes back.
    "args={--circuit-breaker-burst=2000,--enable-dependency-version-upgrades,--enable-dependency-version-downgrades}",
)


def check() -> None:
    """Check that what is to be installed is there.

    Raises:
        NotReady: Where it is not.
    """
    schemas()
    if not (DIST / f"{CONFIGURATION}.xpkg").exists():
        raise NotReady("there are no packages in dist/; build them: make package")
    if built_for(DIST) != (PUBLISHED, VERSION):
        raise NotReady(f"dist/ was built for {' '.join(built_for(DIST))}; build it as {PUBLISHED} {VERSION}: make package")
    if (DIST / SOURCES).read_text() != sources():
        raise NotReady("dist/ was built from other sources than these; build it again: make package")


def schemas() -> Path:
    """Return the folder with the providers' and operators' CRDs.

    Raises:
        NotReady: Where there is none.
    """
    if crds.FOLDER is None:
        raise NotReady("the CRDs of the providers are not here; fetch them with make crds, or name their folder in CRDS")
    return crds.FOLDER


def operators(cluster: Cluster, *names: str) -> None:
    """Install the kinds of operators that are no providers of Crossplane's."""
    cluster.kubectl("create", *(f"--filename={schemas() / name}" for name in names))


def suite(platform: Cluster) -> None:
    """Install the suite as docs/install.md says, from a registry that mirrors those that packages name."""
    for host in HOSTS:
        platform.apply(_mirror(f"{host}/"))
    platform.kubectl("apply", f"--filename={DIST / 'cluster' / 'rbac.yaml'}")
    runtime = (DIST / "cluster" / "runtime.yaml").read_text()
    for host in HOSTS:  # behind a mirror the prefixes are the mirror's
        runtime = runtime.replace(f"prefix: {host}/", f"prefix: {REGISTRY}/")
    platform.kubectl("apply", "--filename=-", given=runtime)
    platform.kubectl("apply", f"--filename={SETTINGS}")
    platform.apply(configuration(VERSION))


def wait(platform: Cluster) -> None:
    """Wait until every package is healthy; give the world the accounts that the providers' pods would have."""
    # A kubectl that only waits costs nothing; to ask again and again takes half a core from what is waited for.
    wanted = ("configuration/platform", "--for=condition=Healthy", "--timeout=120s")
    until("a healthy Configuration", lambda: platform.kubectl("wait", *wanted), seconds=120)
    for name in PROVIDERS:
        account = until(f"Deployment of {name}", lambda name=name: _account(platform, name), pause=0.5)  # type: ignore[misc]
        written = platform.kubeconfig_of(account, NAMESPACE)
        written.rename(written.with_name(f"{name}.kubeconfig"))
    healthy(platform)


def configuration(version: str) -> dict[str, Any]:
    """Return the suite's Configuration."""
    package = f"{PUBLISHED}/{CONFIGURATION}:{version}"
    return {
        "apiVersion": "pkg.crossplane.io/v1",
        "kind": "Configuration",
        "metadata": {"name": "platform"},
        "spec": {"package": package},
    }


def core(programs: Programs, platform: Cluster) -> None:
    """Start Crossplane and its RBAC manager under the accounts and with the arguments that the chart gives them."""
    source = core_module() / "cluster"
    # Else its init container fails once, since it does not wait for them, and all of it is done twice.
    platform.kubectl("create", f"--filename={source / 'crds'}")
    values = [option for value in _VALUES for option in ("--set", value)]
    command = [
        built("helm"),
        "template",
        "crossplane",
        str(source / "charts" / "crossplane"),
        f"--namespace={NAMESPACE}",
        *values,
    ]
    objects = [document for document in yaml.safe_load_all(run(*command)) if document]
    pods = {found["metadata"]["name"]: found["spec"]["template"]["spec"] for found in objects if found["kind"] == "Deployment"}
    platform.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    platform.apply(*(found for found in objects if found["kind"] != "Deployment"))
    _redirect_webhooks(platform)
    init, main = pods["crossplane"]["initContainers"][0], pods["crossplane"]["containers"][0]
    folders = {"CRDS_PATH": str(source / "crds"), "WEBHOOK_CONFIGS_PATH": str(source / "webhookconfigurations")}
    account = {"KUBECONFIG": str(platform.kubeconfig_of("crossplane", NAMESPACE))}
    until("crossplane core init", lambda: _initialised(init, folders | account))
    tls = {}
    for side in ("client", "server"):
        secret = platform.get("secret", f"crossplane-tls-{side}", f"--namespace={NAMESPACE}", "--show-managed-fields=false")
        tls[f"TLS_{side.upper()}_CERTS_DIR"] = str(_laid_out(secret, FOLDER / f"tls-{side}"))
    caches = {"XPKG_CACHE_DIR": str(FOLDER / "xpkg"), "XFN_CACHE_DIR": str(FOLDER / "xfn")}
    (FOLDER / "xpkg").mkdir()
    environment = _environment(main) | account | tls | caches | {"METRICS_PORT": _METRICS}
    programs.start("crossplane", [built("crossplane-core"), *main["args"]], environment)
    manager = pods["crossplane-rbac-manager"]["containers"][0]
    account = {"KUBECONFIG": str(platform.kubeconfig_of("rbac-manager", NAMESPACE))}
    programs.start("rbac-manager", [built("crossplane-core"), *manager["args"]], _environment(manager) | account)


def restart_core(programs: Programs, how: signal.Signals) -> None:
    """Kill Crossplane, and start it again as it was."""
    process = programs.running["crossplane"]
    command = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")[:-1]
    environment = dict(_environment_of(process.pid))
    programs.stop("crossplane", how)
    programs.start("crossplane", command, environment)


def metrics() -> list[str]:
    """Return Crossplane's metrics, a line each."""
    with urllib.request.urlopen(f"http://127.0.0.1:{_METRICS}/metrics") as answer:
        return answer.read().decode().splitlines()  # type: ignore[no-any-return]


def registry(programs: Programs) -> None:
    """Start a registry, and push to it the packages of dist/, and one for each provider, of its CRDs."""
    programs.start("registry", [built("crane"), "registry", "serve", f"--address={REGISTRY}"])
    until("the registry", lambda: run(built("crane"), "catalog", REGISTRY) is not None)
    for kind in KINDS:
        push(DIST / f"function-{kind}-{architecture_here()}.xpkg", f"gravitek-io/function-{kind}:{VERSION}")
    push(DIST / f"{CONFIGURATION}.xpkg", f"gravitek-io/{CONFIGURATION}:{VERSION}")
    for provider in providers():
        push(_provider(provider.name, schemas() / provider.folder), f"{provider.name}:{provider.version}")


def _provider(name: str, schemas: Path) -> Path:
    """Package a provider: its CRDs, and no program."""
    root, package = FOLDER / "providers" / name, FOLDER / f"{name.replace('/', '-')}.xpkg"
    root.mkdir(parents=True)
    metadata = {"name": name.rpartition("/")[2]}
    spec = {"capabilities": ["SafeStart"]}
    meta = {"apiVersion": "meta.pkg.crossplane.io/v1", "kind": "Provider", "metadata": metadata, "spec": spec}
    (root / "crossplane.yaml").write_text(yaml.safe_dump(meta))
    for path in schemas.glob("*.yaml"):
        shutil.copy(path, root)
    run(cli(), "xpkg", "build", f"--package-root={root}", f"--package-file={package}")
    return package


def push(package: Path, reference: str) -> None:
    """Push a package to the registry."""
    run(cli(), "xpkg", "push", f"--package-files={package}", f"{REGISTRY}/{reference}")


def _account(platform: Cluster, provider: str) -> str:
    revisions = platform.get("providerrevisions", f"--selector=pkg.crossplane.io/package={provider}")
    found = platform.get("deployment", revisions[0]["metadata"]["name"], f"--namespace={NAMESPACE}") if revisions else None
    return str(found["spec"]["template"]["spec"]["serviceAccountName"]) if found else ""


def healthy(platform: Cluster) -> None:
    """Wait until every package is installed and healthy, and every API is there."""

    def well() -> bool:
        packages = platform.get("configurations.pkg,functions.pkg,providers.pkg")
        apis = platform.get("xrds")
        return (
            len(packages) == 1 + len(KINDS) + len(PROVIDERS)
            and len(apis) == len(KINDS)
            and all(
                _is(found, kind)
                for found, kinds in ((packages, ("Installed", "Healthy")), (apis, ("Established",)))
                for found in found
                for kind in kinds
            )
        )

    until("healthy packages", well, seconds=120, pause=0.5)


def _is(found: dict[str, Any], condition: str) -> bool:
    return any(c["type"] == condition and c["status"] == "True" for c in found.get("status", {}).get("conditions", []))


def _mirror(prefix: str) -> dict[str, Any]:
    name = "mirror-" + prefix.strip("/").replace(".", "-")
    spec = {"matchImages": [{"type": "Prefix", "prefix": prefix}], "rewriteImage": {"prefix": f"{REGISTRY}/"}}
    return {"apiVersion": "pkg.crossplane.io/v1beta1", "kind": "ImageConfig", "metadata": {"name": name}, "spec": spec}


def _redirect_webhooks(platform: Cluster) -> None:
    """Let the Service's address lead to its target port, as kube-proxy does."""
    service = platform.get("service", "crossplane-webhooks", f"--namespace={NAMESPACE}")
    rule = f"ip daddr {service['spec']['clusterIP']} tcp dport {service['spec']['ports'][0]['port']} redirect to :{_WEBHOOKS}"
    table = f"table ip services {{\nchain output {{\ntype nat hook output priority -100\n{rule}\n}}\n}}\n"
    run("nft", "-f", "-", given=table)


def _initialised(container: dict[str, Any], more: dict[str, str]) -> bool:
    run(built("crossplane-core"), *container["args"], environment=_environment(container) | more)
    return True


def _environment(container: dict[str, Any]) -> dict[str, str]:
    """Return a container's environment, as its pod would have it."""
    fields = {"metadata.namespace": NAMESPACE, "spec.serviceAccountName": "crossplane"}
    found = {}
    for entry in container.get("env", []):
        field = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        if "value" in entry:
            found[entry["name"]] = entry["value"]
        elif field in fields:
            found[entry["name"]] = fields[field]
    return found


def _environment_of(pid: int) -> list[tuple[str, str]]:
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return [(name, value) for name, _, value in (entry.partition("=") for entry in entries if entry)]


def _laid_out(secret: dict[str, Any], folder: Path) -> Path:
    folder.mkdir()
    for key, value in secret["data"].items():
        (folder / key).write_bytes(base64.b64decode(value))
    return folder
