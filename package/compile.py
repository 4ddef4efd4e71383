"""Compile every module that a function loads; run inside the image while it is built."""

import importlib
import pkgutil
import py_compile
import sys

import functions


def main() -> None:
    """Load the functions' modules, and compile whatever that loaded.

    Modules are not checked against their sources again: nothing in an image changes.
    """
    for module in pkgutil.walk_packages(functions.__path__, "functions."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for loaded in list(sys.modules.values()):
        spec = getattr(loaded, "__spec__", None)
        if spec and spec.has_location and spec.cached and spec.origin.endswith(".py"):
            py_compile.compile(
                spec.origin, cfile=spec.cached, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
            )


if __name__ == "__main__":
    main()
