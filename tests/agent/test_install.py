"""Install and uninstall: exactly what was written, nothing that was changed by hand."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from abide_agent.config import Config
from abide_agent.install import Installer, installed
from abide_agent.platform.base import Layout
from abide_agent.platform.linux import linux
from abide_agent.platform.macos import macos
from abide_agent.platform.windows import windows
from abide_rules.errors import ConfigurationError
from abide_rules.wire import EXTENSION_ID_CHROMIUM, EXTENSION_ID_FIREFOX


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def layout(home: Path) -> Layout:
    return linux(home, {}, systemd=Path("/nonexistent"))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_every_browser_gets_its_manifest_and_everything_goes_again(config: Config, layout: Layout, home: Path) -> None:
    Installer(config, layout).install(None, replace=False)
    manifests = {path.parent.parent.name: json.loads(path.read_text()) for path in home.rglob("abide.agent.json")}
    assert set(manifests) == {"chromium", "google-chrome", "microsoft-edge", "Brave-Browser", ".mozilla"}
    assert manifests["chromium"]["allowed_origins"] == [f"chrome-extension://{EXTENSION_ID_CHROMIUM}/"]
    assert manifests[".mozilla"]["allowed_extensions"] == [EXTENSION_ID_FIREFOX]
    assert {m["path"] for m in manifests.values()} == {str(config.wrapper)}
    assert (home / ".config/autostart/abide-agent.desktop").exists()
    Installer(config, layout).install(None, replace=False)
    Installer(config, layout).uninstall(None)
    assert files(home) == set()
    assert not config.wrapper.exists()
    assert not config.installed.exists()


def test_what_was_there_before_stays(config: Config, layout: Layout, home: Path) -> None:
    other = home / ".config" / "chromium" / "NativeMessagingHosts" / "other.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    before = files(home)
    Installer(config, layout).install(None, replace=False)
    Installer(config, layout).uninstall(None)
    assert files(home) == before


def test_what_was_changed_by_hand_stays(config: Config, layout: Layout, home: Path) -> None:
    Installer(config, layout).install(None, replace=False)
    changed = home / ".mozilla" / "native-messaging-hosts" / "abide.agent.json"
    changed.write_text("{}")
    outcomes = {o.path: o.action for o in Installer(config, layout).uninstall(None)}
    assert outcomes[str(changed)] == "kept"
    assert changed.exists()
    assert {item.path for item in installed(config)} >= {str(changed)}


def test_what_somebody_else_wrote_is_not_overwritten(config: Config, layout: Layout, home: Path) -> None:
    theirs = home / ".config" / "chromium" / "NativeMessagingHosts" / "abide.agent.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}")
    with pytest.raises(ConfigurationError) as caught:
        Installer(config, layout).install(None, replace=False)
    assert "--replace" in caught.value.advice
    assert theirs.read_text() == "{}"
    Installer(config, layout).install(None, replace=True)
    assert theirs.read_text() != "{}"


def test_a_browser_directory_gets_one_manifest_and_nothing_else_is_written(
    config: Config, layout: Layout, home: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    Installer(config, layout).install(profile, replace=False)
    assert files(profile) == {"NativeMessagingHosts", "NativeMessagingHosts/abide.agent.json"}
    assert files(home) == set()
    Installer(config, layout).install(None, replace=False)
    Installer(config, layout).uninstall(profile)
    assert not profile.exists()
    assert files(home)


@pytest.mark.parametrize(
    ("folder", "written", "allowed"),
    [
        (".mozilla", "native-messaging-hosts", "allowed_extensions"),
        ("Mozilla", "NativeMessagingHosts", "allowed_extensions"),
        ("chromium", "NativeMessagingHosts", "allowed_origins"),
    ],
)
def test_a_browser_directory_is_known_by_its_name(
    config: Config, layout: Layout, tmp_path: Path, folder: str, written: str, allowed: str
) -> None:
    Installer(config, layout).install(tmp_path / folder, replace=False)
    manifest = json.loads((tmp_path / folder / written / "abide.agent.json").read_text())
    assert manifest.keys() == {"name", "description", "path", "type", allowed}


def test_the_wrapper_starts_the_native_host(config: Config, layout: Layout, tmp_path: Path) -> None:
    Installer(config, layout).install(tmp_path / "profile", replace=False)
    assert os.access(config.wrapper, os.X_OK)
    result = subprocess.run([config.wrapper, "chrome-extension://x/"], capture_output=True, stdin=subprocess.DEVNULL)
    assert result.returncode == 0
    assert json.loads(result.stdout[4:])["type"] == "unavailable"


def test_with_systemd_there_is_a_unit(home: Path, tmp_path: Path) -> None:
    layout = linux(home, {"XDG_CONFIG_HOME": str(home / "cfg")}, systemd=tmp_path)
    assert layout.service.kind == "systemd"
    assert layout.service.path == home / "cfg" / "systemd" / "user" / "abide-agent.service"
    assert "ExecStart=run it" in layout.service.template.format(command="run it")


@pytest.mark.parametrize("layout", [macos(Path("/h")), windows(Path("/h"), {})], ids=["macOS", "Windows"])
def test_other_systems_know_the_same_browsers(layout: Layout) -> None:
    assert [browser.name for browser in layout.browsers] == ["chromium", "chrome", "edge", "brave", "firefox"]
    assert "run it" in layout.service.template.format(command="run it")
