"""Builds the compiled core of szem's kernels (src/szem/kernels/correlate.c) while szem is installed.

Without a compiler, or with one that fails, szem is installed without the core: its kernels then use OpenCV alone.
The library is called through ctypes, so one build serves every version of Python.

    python hatch_build.py    builds it in this checkout, for work without an installation
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, without the build backend
    BuildHookInterface = object

SOURCE = Path("src/szem/kernels/correlate.c")
LIBRARY = SOURCE.with_name("_correlate.so")
# No -ffast-math: it would change the meaning of NaN here, and of tiny numbers in the whole process.
FLAGS = ("-O3", "-std=gnu11", "-fPIC", "-shared", "-Wall", "-Wextra")
TIME_LIMIT_S = 300


def build_core(root: Path) -> Path | None:
    """Compile the core.

    Returns:
        The library; None where it cannot be built, and then no older one is left.
    """
    target, part = root / LIBRARY, root / LIBRARY.with_suffix(".part")
    compiler = _compiler()
    if sys.platform == "win32" or compiler is None:
        target.unlink(missing_ok=True)
        return None
    try:
        subprocess.run(
            [*compiler, *FLAGS, "-o", str(part), str(root / SOURCE)],
            check=True, capture_output=True, timeout=TIME_LIMIT_S,
        )  # fmt: skip
        part.replace(target)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        print(f"szem is built without its compiled core: {error}\n{said.decode(errors='replace')}", file=sys.stderr)
        part.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        return None
    return target


def _compiler() -> list[str] | None:
    """The command of $CC, else the first C compiler on the path."""
    chosen = shlex.split(os.environ.get("CC", ""))
    if chosen:
        return chosen
    return next(([found] for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc, valid-type]
    """What hatchling calls; `[tool.hatch.build.targets.wheel.hooks.custom]` in pyproject.toml names this file."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the core, and mark the wheel as one for this platform where that worked."""
        library = build_core(Path(self.root))
        if library is not None:
            build_data["artifacts"].append(f"/{LIBRARY.as_posix()}")
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"


if __name__ == "__main__":
    built = build_core(Path(__file__).resolve().parent)
    print(built or "not built: there is no working C compiler; set CC to one")
    sys.exit(0 if built else 1)
