"""The peers' inputs: the same resources, composed the way their own documentation shows.

What a peer cannot do (read a Secret, build a binding from connection details, refuse) it need not do: it copies
constants, which is less work.
"""

from collections.abc import Mapping
from typing import Any, Final

Manifests = Mapping[str, dict[str, Any]]


# The T-shirt size decides one field of one resource.
_MAIN: Final = ("server", "deployment")
_PLANS: Final = {
    "Object": ("spec.forProvider.manifest.spec.forProvider.size.plan", ("startup-4", "business-8", "business-16")),
    "Deployment": ("spec.template.spec.containers[0].resources.requests.cpu", ("100m", "250m", "1")),
    "Server": ("spec.forProvider.type", ("PLAY2-NANO", "PRO2-XXS", "PRO2-XS")),
}


def patch_and_transform(claim: str, manifests: Manifests) -> dict[str, Any]:
    """Return function-patch-and-transform's input: our answer as bases, patched with what depends on the claim.

    Args:
        claim: The claim's name.
        manifests: Our answer.
    """
    resources = []
    for key, manifest in manifests.items():
        patches = [
            _patch("metadata.name", "metadata.name", f"%s{manifest['metadata']['name'].removeprefix(claim)}"),
            _patch("metadata.name", 'metadata.labels["app.kubernetes.io/instance"]'),
        ]
        if key in _MAIN:
            path, plans = _PLANS[manifest["kind"]]
            sizes = dict(zip(("small", "medium", "large"), plans, strict=True))
            patches += [
                {
                    "type": "FromCompositeFieldPath",
                    "fromFieldPath": "spec.size",
                    "toFieldPath": path,
                    "transforms": [{"type": "map", "map": sizes}],
                },
                {"type": "ToCompositeFieldPath", "fromFieldPath": path, "toFieldPath": "status.plan"},
            ]
        if manifest["kind"] == "Object":
            patches += _wrapped("spec.forProvider.manifest")
        if manifest["apiVersion"].startswith("postgresql.sql."):
            patches.append(_patch("metadata.name", "spec.providerConfigRef.name", "%s-pg"))
        if "crossplane.io/external-name" in manifest["metadata"].get("annotations", {}):
            patches.append(_patch("metadata.name", 'metadata.annotations["crossplane.io/external-name"]'))
        has_conditions = "providerConfigRef" in manifest.get("spec", {})
        ready = {} if has_conditions else {"readinessChecks": [{"type": "None"}]}
        resources.append({"name": key, "base": manifest, "patches": patches, **ready})
    return {"apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", "resources": resources}


def _wrapped(path: str) -> list[dict[str, Any]]:
    """Return the patches of the server that is wrapped in an Object."""
    name = {
        "type": "CombineFromComposite",
        "combine": {
            "variables": [{"fromFieldPath": "metadata.namespace"}, {"fromFieldPath": "metadata.name"}],
            "strategy": "string",
            "string": {"fmt": "%s-%s"},
        },
        "toFieldPath": f"{path}.metadata.name",
    }
    return [
        _patch("metadata.name", f'{path}.metadata.labels["app.kubernetes.io/instance"]'),
        name,
        _patch("spec.version", f"{path}.spec.forProvider.version"),
        _patch("spec.deletionProtection", f"{path}.spec.forProvider.terminationProtection"),
        _patch("metadata.name", f"{path}.spec.writeConnectionSecretToRef.name", "%s-pg-admin"),
        _patch("metadata.namespace", f"{path}.spec.writeConnectionSecretToRef.namespace"),
        {
            "type": "ToCompositeFieldPath",
            "fromFieldPath": f"{path}.spec.forProvider.zone",
            "toFieldPath": "status.region",
        },
    ]


def _patch(source: str, target: str, form: str = "") -> dict[str, Any]:
    transforms = [{"type": "string", "string": {"type": "Format", "fmt": form}}] if form else []
    return {"type": "FromCompositeFieldPath", "fromFieldPath": source, "toFieldPath": target, "transforms": transforms}


def pythonic(kind: str, claim: str, manifests: Manifests) -> dict[str, Any]:
    """Return function-pythonic's input: a class that assigns the same fields.

    Args:
        kind: The kind of claim.
        claim: The claim's name.
        manifests: Our answer.
    """
    lines = [
        f"class {kind.capitalize()}(BaseComposite):",
        "  def compose(self):",
        "    name = str(self.metadata.name)",
    ]
    for number, (key, manifest) in enumerate(manifests.items()):
        variable = f"r{number}"
        lines.append(f"    {variable} = self.resources[{key!r}]({manifest['apiVersion']!r}, {manifest['kind']!r})")
        lines.append(f"    {variable}.metadata.name = name + {manifest['metadata']['name'].removeprefix(claim)!r}")
        for field, value in manifest["metadata"].items():
            if field != "name":
                lines.append(f"    {variable}.metadata.{field} = {value!r}")
        lines.append(f"    {variable}.metadata.labels['app.kubernetes.io/instance'] = name")
        rest = sorted(manifest.keys() - {"apiVersion", "kind", "metadata"})
        lines += [f"    {variable}.{field} = {manifest[field]!r}" for field in rest]
        if key in _MAIN:
            path, plans = _PLANS[manifest["kind"]]
            sizes = dict(zip(("small", "medium", "large"), plans, strict=True))
            lines.append(f"    {variable}.{path} = {sizes!r}[str(self.spec.size)]")
            lines.append(f"    self.status.plan = {sizes!r}[str(self.spec.size)]")
        if manifest["kind"] == "Object":
            lines.append(f"    {variable}.spec.forProvider.manifest.metadata.name = str(self.metadata.namespace) + '-' + name")
    return {"apiVersion": "pythonic.fn.fortra.com/v1alpha1", "kind": "Composite", "composite": "\n".join(lines) + "\n"}
