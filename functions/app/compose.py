"""From an App claim to resources: settle the order, bind the databases, migrate, run; for this cluster or for another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from functions.app import claim, database, exposure, local, metrics, migration, ownership, remote, secrets, workload
from functions.app.database import Binding
from functions.app.migration import Migration
from functions.app.order import DATABASE, DEPLOYMENT, VOLUME, Cluster, Order, settle
from functions.kit import conditions, guard, protection
from functions.kit.composition import Composition, Resource
from functions.kit.conditions import Condition
from functions.kit.manifests import KEEPS
from functions.kit.observed import Observed
from functions.kit.progress import provisioned
from functions.kit.request import Request, check_provider
from functions.kit.structs import Json

PROVIDERS: Final[Mapping[str, Cluster]] = {"kubernetes": local, "exoscale": remote, "ovh": remote, "scaleway": remote}

# What the Deployment comes after: where it is available, all of these have arrived once.
_NEEDED_BY_PODS: Final = ("migrate.", "push.", "binding.", secrets.KEY)

# What may go when the claim or the settings no longer want it. Volumes and databases go when settle let them.
_MAY_GO: Final = (
    VOLUME,
    DATABASE,
    "migrate.",
    "push.",
    "binding.",
    "service",
    "ingress",
    "budget",
    "autoscaler",
    "secrets",
    "scrape",
    "rules",
    "dashboard",
    protection.NAME,
)


def compose(request: Request) -> Composition:
    """Compose an App claim.

    Raises:
        Refusal: Where the claim must not be composed as it is.
    """
    check_provider(request, PROVIDERS)
    cluster, observed = PROVIDERS[request.provider], request.observed
    guard.refuse_switch(request.provider, DEPLOYMENT, cluster.kind_of(workload.DEPLOYMENT_KIND), observed)
    order = settle(request, cluster, claim.read(request))
    resources = database.own(order, request)
    bound = database.bindings(order, request)
    pushes, pulls = database.handed_over(order, bound)
    unbound = _unbound(order, bound)
    older = migration.running(order)
    missing = unbound or secrets.waits(order) or (older[0].waits if older else "")
    migrating = migration.of(order, bound, may_begin=not missing)
    waits = missing or (migrating.waits if migrating else "")
    parts = [*pulls, *secrets.part(order), *workload.around(order), *exposure.parts(order), *metrics.parts(order, bound)]
    parts += [each.part for each in (*older, *([migrating] if migrating else []))]
    # It comes once all that it needs is there, and from then on always; until a change has what it needs, the pods stay.
    if not waits or DEPLOYMENT in observed:
        parts.append(workload.deployment(order, bound, held=bool(waits)))
    if cluster is local:
        ownership.check(order, request, parts)
    resources += [*pushes, *(cluster.deliver(order, part, observed) for part in parts)]
    if cluster is remote:
        resources += remote.let_go(order, {f"{VOLUME}{volume.name}" for volume in order.volumes}, observed)
    if _protected(order, observed):
        resources.append(protection.of_claim(request, order.labels))
    guard.refuse_removal(resources, observed, may_go=_MAY_GO)
    asked = [*database.requirements(order, bound), *(ownership.requirements(order, parts) if cluster is local else ())]
    return Composition(
        resources=resources,
        status=_status(request, order, bound),
        conditions=[
            Condition(conditions.ACCEPTED, status=True, reason=conditions.VALID),
            _provisioned(order, resources, migrating, missing),
            _bound(unbound),
        ],
        requirements=asked,
        warnings=[*secrets.warnings(order.claim)],
        # Not by the condition Provisioned: while a change waits for what it needs, the version before serves.
        ready=DEPLOYMENT in observed and all(r.ready for r in resources if not r.name.startswith(_NEEDED_BY_PODS)),
    )


def _protected(order: Order, observed: Observed) -> bool:
    """Tell whether the claim may not be deleted: it holds data, or what does is still protected itself."""
    if order.claim.deletion_protection:
        return bool(order.volumes) or any(database.size is not None for database in order.claim.databases)
    volumes = (observed[key].at("spec", "managementPolicies") for key in observed if key.startswith(VOLUME))
    databases = (order.live[key].at("spec", "deletionProtection") for key in order.live if key.startswith(DATABASE))
    return [*KEEPS] in [*volumes] or any(protected is not False for protected in databases)


def _unbound(order: Order, bound: Iterable[Binding]) -> str:
    """Say what the first incomplete binding waits for, "" where all are where the App runs."""
    for binding in bound:
        if binding.waits:
            return binding.waits
        if order.remote:
            seen = order.live.get(database.pull(order, binding.secret).key)
            if told := secrets.synced(seen) if seen else "it is being made":
                return f"the binding {binding.database.name} is not in the App's cluster yet: {told}"
    return ""


def _provisioned(order: Order, resources: Sequence[Resource], migrating: Migration | None, missing: str) -> Condition:
    if migrating is not None and migrating.failed:
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.FAILING, message=_failed(order, migrating))
    if missing:
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.WAITING, message=missing)
    if migrating is not None and migrating.waits:
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.MIGRATING, message=migrating.waits)
    told = provisioned(resources)
    seen = order.live.get(DEPLOYMENT)
    if not told.status or seen is None:
        return told
    fails, goes_on = workload.rolling(seen, order.claim.image)
    if not fails and not goes_on:
        return told
    message = f"Deployment {order.name}: {fails or goes_on}"
    return Condition(
        conditions.PROVISIONED, status=False, reason=conditions.FAILING if fails else conditions.ROLLING_OUT, message=message
    )


def _failed(order: Order, migrating: Migration) -> str:
    """Say that a migration failed, and what to do: in another cluster the Job is made by its Object here, and again as it was."""
    serving = workload.image(order.live.get(DEPLOYMENT))
    meanwhile = f"{serving} keeps serving" if serving else "nothing serves yet"
    where, delete = "", "the Job"
    if order.remote:
        where, delete = " in the App's cluster", f"the Object {remote.object_name(order, migrating.part.key)} here"
    return (
        f"the migration of {order.claim.image} failed (Job {migrating.name}{where}: {migrating.failed}); {meanwhile}; read "
        f"kubectl logs job/{migrating.name}{where}, then correct the image or the command, or delete {delete} to run it again"
    )


def _bound(unbound: str) -> Condition:
    reason = conditions.WAITING if unbound else conditions.COMPLETE
    return Condition(conditions.BOUND, status=not unbound, reason=reason, message=unbound)


def _status(request: Request, order: Order, bound: Sequence[Binding]) -> dict[str, Json]:
    status: dict[str, Json] = {
        "provider": request.provider,
        "size": order.claim.size,
        "plan": f"{order.size.cpu} cpu {order.size.memory}",
        "settings": request.settings.origin,
    }
    if url := exposure.url(order):
        status["url"] = url
    seen = order.live.get(DEPLOYMENT)
    if image := workload.image(seen):
        status["image"] = image
    if seen is not None:
        status["replicas"] = {
            "desired": seen.number("spec", "replicas") or 0,
            "ready": seen.number("status", "readyReplicas") or 0,
        }
    if bound:
        status["databases"] = [_database_status(binding) for binding in bound]
    if any(volume.there_gb for volume in order.volumes):
        status["volumes"] = [{"name": volume.name, "sizeGB": volume.there_gb} for volume in order.volumes if volume.there_gb]
    return status


def _database_status(binding: Binding) -> dict[str, Json]:
    status: dict[str, Json] = {"name": binding.database.name, "claim": binding.claim}
    if binding.secret:
        status["binding"] = binding.secret
    return status
