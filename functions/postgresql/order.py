"""Settle what to order: a claim, held against the provider's settings and against what is live."""

from typing import Any

from functions.kit import guard
from functions.kit.addresses import check_cidrs
from functions.kit.live import grown, settled_region
from functions.kit.observed import Observed
from functions.kit.refusal import (
    NOT_OFFERED,
    OPEN_TO_THE_WORLD,
    SERVER_LOST,
    WOULD_REMOVE,
    Refusal,
    not_changeable,
    not_offered,
    quote,
)
from functions.kit.request import Request
from functions.kit.settings import ENVIRONMENT
from functions.postgresql.claim import Claim
from functions.postgresql.server import SERVER, Live, Order, Provider
from functions.postgresql.settings import ProviderSettings


def settle(request: Request, provider: Provider, claim: Claim) -> Order[Any]:
    """Settle the order.

    Raises:
        Refusal: Where the provider does not offer what the claim wants, or cannot turn what is live into it.
    """
    settings = request.settings.read(provider.SETTINGS)
    seen = request.observed.get(SERVER)
    live = provider.live(seen) if seen else None
    if live is None and not provider.FOUND_BY_NAME:
        _refuse_new_server(request)
    if claim.size not in settings.sizes:
        raise not_offered("spec.size", claim.size, request.provider, settings.sizes)
    _check_retention(request.provider, provider, claim)
    _check_databases(claim, request.observed)
    _check_version(request.provider, provider, settings, claim, live)
    return Order(
        name=request.name,
        namespace=request.namespace,
        labels=guard.labels("postgresql", request.name, request.provider),
        claim=claim,
        settings=settings,
        region=settled_region(request, settings.regions, claim.region, live.region if live else ""),
        runs=live.version if live else "",
        storage_gb=_storage(request.provider, provider, settings, claim, live),
        cidrs=_cidrs(request, provider, settings, claim),
        protected=claim.deletion_protection,
    )


def _refuse_new_server(request: Request) -> None:
    """Refuse to make a second, empty server for databases that were on one whose resource is gone."""
    if any(key.startswith("database.") and resource.label(guard.PROVIDER_LABEL) for key, resource in request.observed.items()):
        raise Refusal(
            SERVER_LOST,
            f"the server of this claim has databases, but its resource is gone; {request.provider} would make a new, empty one; "
            "nothing was changed; the platform team must bring the resource back: see docs/operating.md, Lost servers",
        )


def _check_retention(name: str, provider: Provider, claim: Claim) -> None:
    days = claim.backup.retention_days
    if days is not None and not provider.SETS_RETENTION:
        raise Refusal(
            NOT_OFFERED, f"spec.backup.retentionDays is {days}; {name} itself decides how long backups are kept; remove the field"
        )


def _check_databases(claim: Claim, observed: Observed) -> None:
    """Refuse a claim that lost a database: leaving it out would delete it, a new name would be a new, empty one."""
    names = [database.name for database in claim.databases]
    live = [
        key.removeprefix("database.")
        for key in observed
        if key.startswith("database.") and observed[key].label(guard.PROVIDER_LABEL)
    ]
    lost = sorted(set(live) - set(names))
    if lost:
        raise Refusal(
            WOULD_REMOVE,
            f"spec.databases is {', '.join(names)} and no longer has {quote(lost[0])}, which is live; a database is neither "
            f"dropped nor renamed by editing a claim; add `- name: {lost[0]}` again (to empty it, drop its tables in SQL)",
        )


def _check_version(name: str, provider: Provider, settings: ProviderSettings[Any], claim: Claim, live: Live | None) -> None:
    """Check the version. A live one is never refused because the settings no longer offer it."""
    runs = live.version if live else ""
    if claim.version == runs:
        return
    if runs and int(claim.version) < _number(runs):
        raise not_changeable("spec.version", claim.version, f"the server runs {runs} and cannot go back", runs)
    if runs and not provider.UPGRADES:
        raise not_changeable("spec.version", claim.version, f"the server runs {runs} and {name} has no safe upgrade", runs)
    if claim.version not in settings.versions:
        raise not_offered("spec.version", claim.version, name, settings.versions)


def _storage(name: str, provider: Provider, settings: ProviderSettings[Any], claim: Claim, live: Live | None) -> int | None:
    """Settle the storage: the claim's, else the size's, but never less than there is."""
    if not provider.HAS_STORAGE:
        if claim.storage_gb is None:
            return None
        raise Refusal(
            NOT_OFFERED,
            f"spec.storageGB is {claim.storage_gb}; on {name} the size decides; remove the field or choose a larger size",
        )
    of_size: int | None = settings.sizes[claim.size].storage_gb
    return grown("spec.storageGB", claim.storage_gb, of_size, live.storage_gb if live else None)


def _cidrs(request: Request, provider: Provider, settings: ProviderSettings[Any], claim: Claim) -> tuple[str, ...]:
    key = f"data[{request.settings.overlay_key}].platformCIDRs of the EnvironmentConfig {ENVIRONMENT}"
    wide = settings.allow_wide_cidrs
    cidrs = {
        *check_cidrs("spec.allowedCIDRs", claim.allowed_cidrs, allow_wide=wide),
        *check_cidrs(key, settings.platform_cidrs, allow_wide=wide),
    }
    if provider.NEEDS_CIDRS and not cidrs:
        raise Refusal(
            OPEN_TO_THE_WORLD,
            f"spec.allowedCIDRs and the settings' platformCIDRs are both empty; {request.provider} needs at least one network "
            f"that may reach the database; the platform team should set {key} to the addresses that the nodes go out with",
        )
    return tuple(sorted(cidrs))


def _number(version: str) -> int:
    return int(version) if version.isascii() and version.isdigit() else 0
