"""Whatever is asked of a claim in whatever order: no server, database or role goes or moves, and nothing is renamed."""

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cases import EXAMPLES, load, merged
from tests.requests import composition_name, documents, fatal, plain, request, run, with_defaults
from tests.upgrade.test_upgrade import FIXED, at
from tools.crossplane import ROOT, SETTINGS

PROVIDERS: Final = ("exoscale", "ovh", "scaleway", "kubernetes")
# Everything else holds data, or lets somebody in to it.
MAY_GO: Final = ("extension.", "backup", "metrics", "reader-binding.", "protection")

databases = st.lists(st.sampled_from(["orders", "audit", "billing"]), unique=True, max_size=3).map(
    lambda names: [{"name": name, "readers": len(name) % 2 == 0, "extensions": ["pg_trgm"]} for name in names]
)
edits = st.one_of(
    st.fixed_dictionaries({"size": st.sampled_from(["small", "medium", "large"])}),
    st.fixed_dictionaries({"version": st.sampled_from(["15", "16", "17"])}),
    st.fixed_dictionaries({"storageGB": st.sampled_from([None, 10, 60, 200])}),
    st.fixed_dictionaries({"databases": databases}),
    st.fixed_dictionaries({"region": st.sampled_from([None, "ch-dk-2", "SBG", "nl-ams"])}),
    st.fixed_dictionaries({"deletionProtection": st.booleans()}),
    st.fixed_dictionaries({"allowedCIDRs": st.sampled_from([[], ["198.51.100.0/24"], ["0.0.0.0/0"]])}),
    st.fixed_dictionaries({"crossplane": st.sampled_from(["exoscale", "ovh", "scaleway", "kubernetes"])}),
    # Not the claim's: the EnvironmentConfig's key of the provider, and what the provider tells of itself.
    st.fixed_dictionaries({"settings": st.sampled_from(["gone", "as before", "another default", "another account"])}),
    st.fixed_dictionaries({"told": st.booleans()}),
)


class _Cluster:
    """As much of Crossplane and a cloud as a claim's life needs; it begins when everything is there."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.claim = with_defaults(load(EXAMPLES / "claims" / "postgresql" / f"{provider}-small.yaml"))
        self.settings = load(SETTINGS)
        ready = EXAMPLES / "observed" / "postgresql" / f"{provider}-ready"
        self.secrets = documents(ready.with_name(f"{ready.name}.required.yaml"))
        self.observed = {composition_name(manifest): manifest for manifest in documents(ready.with_name(f"{ready.name}.yaml"))}
        self.status = {key: manifest.get("status", {}) for key, manifest in self.observed.items()}
        self.told = True

    def edit(self, change: dict[str, Any]) -> None:
        if "told" in change:
            self.told = change["told"]
        elif "settings" in change:
            key = f"postgresql.{self.provider}"
            regions = ["ch-dk-2", "ch-gva-2", "SBG", "GRA", "nl-ams", "fr-par", "default"]
            of_settings = {
                "gone": {key: None},
                "as before": {},
                "another default": {key: {"regions": regions}},
                "another account": {key: {"providerConfig": "other"}},
            }[change["settings"]]
            self.settings = merged(load(SETTINGS), {"data": of_settings})
        elif "crossplane" in change:
            selector = {"compositionSelector": {"matchLabels": {"provider": change["crossplane"]}}}
            self.claim = merged(self.claim, {"spec": {"crossplane": selector}})
        else:
            self.claim = merged(self.claim, {"spec": change})

    def reconcile(self) -> None:
        """Run one pass and check what it takes away."""
        provider = self.claim["spec"]["crossplane"]["compositionSelector"]["matchLabels"]["provider"]
        step = load(ROOT / "compositions" / "postgresql" / f"{provider}.yaml")["spec"]["pipeline"][0]["input"]
        seen = [{**body, "status": self.status.get(key, {}) if self.told else {}} for key, body in self.observed.items()]
        secrets = self.secrets if self.told else []
        message = request(self.claim, step, settings=self.settings, observed=seen, secrets=secrets)
        response = run(message, "postgresql", secrets)
        if fatal(response):
            return
        before, self.observed = self.observed, {}
        for key, entry in response.desired.resources.items():
            body = plain(entry)
            body["metadata"].setdefault("annotations", {})["crossplane.io/composition-resource-name"] = key
            self.observed[key] = body
            self.status.setdefault(key, {"conditions": [{"type": "Ready", "status": "True"}]})
        _check(before, self.observed)
        told = plain(response.desired.composite)["status"]
        self.claim = {**self.claim, "status": told}


def _check(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> None:
    assert not [key for key in before.keys() - after.keys() if not key.startswith(MAY_GO)]
    for key, old in before.items():
        new = after.get(key, old)
        for field in ("apiVersion", "kind"):
            assert new[field] == old[field], f"{key}: {field}"
        assert new["metadata"]["name"] == old["metadata"]["name"], f"{key} was renamed"
        assert at(new, "providerConfigRef") == at(old, "providerConfigRef"), f"{key}: another account"
        for path in FIXED.get(old["kind"], []):
            assert at(new, path) == at(old, path), f"{key}: {path}"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_any_life(provider: str) -> None:
    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(edits, st.integers(0, 2)), max_size=8))
    def life(events: list[tuple[dict[str, Any], int]]) -> None:
        cluster = _Cluster(provider)
        cluster.reconcile()
        for change, passes in events:
            cluster.edit(change)
            for _ in range(passes):
                cluster.reconcile()
        cluster.reconcile()

    life()
