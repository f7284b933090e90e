"""The generated code in the tree is what the contract generates now."""

import os
import sys
from pathlib import Path

import pytest
from tests.support.generate import generate
from tests.support.repository import ROOT, files


def contents(root: Path) -> dict[str, bytes]:
    """Every file below `root`, by its path there."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files(root, "")}


def test_the_generated_code_is_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    generate(tmp_path)
    fresh, committed = contents(tmp_path), contents(ROOT / "protos" / "gen")
    assert sorted(committed) == sorted(fresh)
    stale = [name for name, content in fresh.items() if committed[name] != content]
    assert not stale, "run `make protos`"


def test_each_contract_has_its_module() -> None:
    generated = contents(ROOT / "protos" / "gen")
    for proto in files(ROOT / "protos" / "stillopen", ".proto"):
        module = proto.relative_to(ROOT / "protos").with_suffix("").as_posix()
        assert f"{module}_pb2.py" in generated
        assert f"{module}_pb2.pyi" in generated
