"""The peers' inputs: the same resources, composed the way their own documentation shows.

What a peer cannot do (read a Secret, build a binding from connection details, refuse) it need not do: it copies
constants, which is less work.
"""

from collections.abc import Mapping
from typing import Any

Manifests = Mapping[str, dict[str, Any]]


def _suffix(name: str) -> str:
    """Return what follows the claim's name in an object's name."""
    return name.removeprefix("orders")


def patch_and_transform(manifests: Manifests) -> dict[str, Any]:
    """Return function-patch-and-transform's input: our answer as bases, patched with what depends on the claim."""
    resources = []
    for key, manifest in manifests.items():
        patches = [
            _patch("metadata.name", "metadata.name", f"%s{_suffix(manifest['metadata']['name'])}"),
            _patch("metadata.name", 'metadata.labels["app.kubernetes.io/instance"]'),
        ]
        if key == "server":
            path = "spec.forProvider.manifest"
            patches += [
                _patch("metadata.name", f'{path}.metadata.labels["app.kubernetes.io/instance"]'),
                {
                    "type": "CombineFromComposite",
                    "combine": {
                        "variables": [{"fromFieldPath": "metadata.namespace"}, {"fromFieldPath": "metadata.name"}],
                        "strategy": "string",
                        "string": {"fmt": "%s-%s"},
                    },
                    "toFieldPath": f"{path}.metadata.name",
                },
                {
                    "type": "FromCompositeFieldPath",
                    "fromFieldPath": "spec.size",
                    "toFieldPath": f"{path}.spec.forProvider.size.plan",
                    "transforms": [
                        {"type": "map", "map": {"small": "startup-4", "medium": "business-8", "large": "business-16"}}
                    ],
                },
                _patch("spec.version", f"{path}.spec.forProvider.version"),
                _patch("spec.deletionProtection", f"{path}.spec.forProvider.terminationProtection"),
                _patch("metadata.name", f"{path}.spec.writeConnectionSecretToRef.name", "%s-pg-admin"),
                _patch("metadata.namespace", f"{path}.spec.writeConnectionSecretToRef.namespace"),
                _to_claim("spec.forProvider.manifest.spec.forProvider.size.plan", "status.plan"),
                _to_claim("spec.forProvider.manifest.spec.forProvider.zone", "status.region"),
            ]
        if "providerConfigRef" in manifest.get("spec", {}) and key != "server":
            patches.append(_patch("metadata.name", "spec.providerConfigRef.name", "%s-pg"))
        if "annotations" in manifest["metadata"]:
            patches.append(_patch("metadata.name", 'metadata.annotations["crossplane.io/external-name"]'))
        ready = (
            {}
            if "conditions" in str(manifest) or "providerConfigRef" in manifest.get("spec", {})
            else {"readinessChecks": [{"type": "None"}]}
        )
        resources.append({"name": key, "base": manifest, "patches": patches, **ready})
    return {"apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", "resources": resources}


def _patch(source: str, target: str, form: str = "") -> dict[str, Any]:
    transforms = [{"type": "string", "string": {"type": "Format", "fmt": form}}] if form else []
    return {"type": "FromCompositeFieldPath", "fromFieldPath": source, "toFieldPath": target, "transforms": transforms}


def _to_claim(source: str, target: str) -> dict[str, Any]:
    return {"type": "ToCompositeFieldPath", "fromFieldPath": source, "toFieldPath": target}


def pythonic(manifests: Manifests) -> dict[str, Any]:
    """Return function-pythonic's input: a class that assigns the same fields."""
    lines = [
        "class PostgreSQL(BaseComposite):",
        "  def compose(self):",
        "    name = str(self.metadata.name)",
        "    plan = {'small': 'startup-4', 'medium': 'business-8', 'large': 'business-16'}[str(self.spec.size)]",
    ]
    for number, (key, manifest) in enumerate(manifests.items()):
        variable = f"r{number}"
        lines.append(f"    {variable} = self.resources[{key!r}]({manifest['apiVersion']!r}, {manifest['kind']!r})")
        lines.append(f"    {variable}.metadata.name = name + {_suffix(manifest['metadata']['name'])!r}")
        for field, value in manifest["metadata"].items():
            if field != "name":
                lines.append(f"    {variable}.metadata.{field} = {value!r}")
        lines.append(f"    {variable}.metadata.labels['app.kubernetes.io/instance'] = name")
        rest = sorted(manifest.keys() - {"apiVersion", "kind", "metadata"})
        lines += [f"    {variable}.{field} = {manifest[field]!r}" for field in rest]
        if key == "server":
            lines.append(f"    {variable}.spec.forProvider.manifest.metadata.name = str(self.metadata.namespace) + '-' + name")
            lines.append(f"    {variable}.spec.forProvider.manifest.spec.forProvider.size.plan = plan")
            lines.append("    self.status.plan = plan")
    return {"apiVersion": "pythonic.fn.fortra.com/v1alpha1", "kind": "Composite", "composite": "\n".join(lines) + "\n"}
