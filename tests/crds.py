"""Where the CRDs of providers and operators are: they belong to others, and are not copied into this project."""

import os
from pathlib import Path
from typing import Final

from tools.crds import FOLDER as FETCHED
from tools.crossplane import ROOT

FOLDER: Final = next(
    (path for path in (Path(os.environ.get("CRDS", "-")), FETCHED, ROOT.parent / "shared" / "crds") if path.is_dir()),
    None,
)
