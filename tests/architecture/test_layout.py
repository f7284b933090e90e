"""One namespace in three source roots, and nothing in between."""

import tomllib

from tests.support.repository import CLIENTS, GENERATED, ROOT, SERVICES, files

ROOTS = [GENERATED, SERVICES, CLIENTS]
PACKAGES = {
    "protos": ["v1"],
    "services": [
        "channel",
        "core",
        "headquarters",
        "realtime",
        "replication",
        "rpc",
        "storage",
        "sync",
    ],
    "clients": ["cli", "register"],
}


def test_no_root_closes_the_namespace() -> None:
    for root in ROOTS:
        assert root.is_dir()
        assert not (root / "__init__.py").exists()
        assert not (root.parent / "__init__.py").exists()


def test_each_root_holds_its_packages_and_no_loose_modules() -> None:
    for root in ROOTS:
        found = sorted(p.name for p in root.iterdir() if p.name != "__pycache__")
        assert found == PACKAGES[root.relative_to(ROOT).parts[0]]


def test_each_package_is_typed_and_says_what_it_is() -> None:
    for root in ROOTS:
        for package in (p for p in root.iterdir() if p.name != "__pycache__"):
            assert (package / "py.typed").is_file(), package
            assert (package / "__init__.py").is_file(), package


def test_every_folder_with_modules_is_a_package() -> None:
    for root in ROOTS:
        for module in files(root):
            assert (module.parent / "__init__.py").is_file(), module


def test_wheel_and_editable_install_see_the_same_roots() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build = project["tool"]["hatch"]["build"]
    roots = [root.relative_to(ROOT).as_posix() for root in ROOTS]
    assert build["targets"]["wheel"]["packages"] == roots
    assert build["dev-mode-dirs"] == [root.removesuffix("/stillopen") for root in roots]
