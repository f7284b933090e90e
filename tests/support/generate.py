"""Generates the Python code of the contract: `python tests/support/generate.py DIRECTORY`.

The proto root is the Python root, so protoc's absolute imports are right as they stand.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def generate(target: Path) -> None:
    """Writes `target`/stillopen/v1 from nothing; the plugins must be on PATH."""
    package = target / "stillopen" / "v1"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    protos = sorted(
        p.relative_to(ROOT / "protos") for p in (ROOT / "protos/stillopen").rglob("*.proto")
    )
    subprocess.run(  # noqa: S603 - our own command line
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-Iprotos",
            f"--python_out={target}",
            f"--grpc_python_out={target}",
            f"--mypy_out=quiet,readable_stubs:{target}",
            f"--mypy_grpc_out=quiet,readable_stubs,only_async:{target}",
            *map(str, protos),
        ],
        check=True,
        cwd=ROOT,
    )
    for stub in package.glob("*_pb2_grpc.py"):
        if "class " not in stub.read_text():  # messages without a service
            stub.unlink()
            stub.with_suffix(".pyi").unlink(missing_ok=True)
    (package / "__init__.py").write_text(
        '"""The contract, generated from protos/stillopen/v1."""\n'
    )
    (package / "py.typed").touch()


if __name__ == "__main__":
    generate(Path(sys.argv[1]).resolve())
