"""Create a virtual environment with the locked requirements; with uv where there is one, else with pip alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "dev.txt"


def main() -> int:
    """Make the environment named by the first argument and install into it."""
    venv = Path(sys.argv[1])
    if sys.version_info < (3, 11):  # noqa: UP036 - the one file that an older Python may run
        found = ".".join(map(str, sys.version_info[:2]))
        print(f"Gnomon needs Python 3.11 or newer, this is {found}; try: make setup PYTHON=python3.11", file=sys.stderr)
        return 1
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}}
    python = venv / "bin" / "python"
    uv = shutil.which("uv")
    if uv is not None and subprocess.run([uv, "--version"], capture_output=True, check=False).returncode == 0:
        commands = [
            [uv, "venv", "-q", "--allow-existing", "--python", sys.executable, str(venv)],
            [uv, "pip", "sync", "-q", "--python", str(python), "--compile-bytecode", "--require-hashes", str(LOCK)],
            [uv, "pip", "install", "-q", "--python", str(python), "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
        ]
    else:
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        commands = [
            [sys.executable, "-m", "venv", str(venv)],
            [*pip, "--compile", "--require-hashes", "-r", str(LOCK)],
            [*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
        ]
    print(f"Installing {LOCK.relative_to(ROOT)} into {venv} …", flush=True)
    for command in commands:
        if subprocess.run(command, env=environment, check=False).returncode != 0:
            print(f"Set-up stopped at: {' '.join(command)}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
