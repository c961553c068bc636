"""An installation for all accounts: what is written below another root folder, what the policies say, and its undoing."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from abide_agent import native_host
from abide_agent.browsers.policies import Choices, Told, policy_files
from abide_agent.bundle import DEVELOPMENT, Bundle, bundle, origins
from abide_agent.config import Config, system_config
from abide_agent.identity import load_key
from abide_agent.install import Installer, wanted
from abide_agent.platform.base import Layout
from abide_agent.platform.linux import linux_system
from abide_agent.platform.macos import macos_system
from abide_agent.platform.windows import windows_system
from abide_agent.wanted import told_of
from abide_rules.errors import ConfigurationError
from abide_rules.extension_package import pack_crx, pack_xpi, read_crx
from abide_rules.wire import EXTENSION_ID_CHROMIUM, EXTENSION_ID_FIREFOX

MANIFEST = {
    "manifest_version": 3,
    "name": "x",
    "version": "1.2.3",
    "browser_specific_settings": {"gecko": {"id": "packed@example"}},
}
FOLDERS = ("chromium", "opt/chrome", "opt/edge", "brave")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def system(root: Path) -> Config:
    return system_config(root)


@pytest.fixture
def layout(root: Path) -> Layout:
    return linux_system(root, systemd=Path("/nonexistent"))


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A packed extension where the environment says that it is."""
    folder = tmp_path / "extension"
    folder.mkdir()
    files = {"manifest.json": json.dumps(MANIFEST).encode()}
    crx = pack_crx(files, ec.generate_private_key(ec.SECP256R1()))
    (folder / "a.crx").write_bytes(crx)
    (folder / "a.xpi").write_bytes(pack_xpi(files))
    names = {"crx": "a.crx", "xpi": "a.xpi", "version": "1.2.3", "firefox_id": "packed@example"}
    (folder / "extension.json").write_text(json.dumps(names | {"chromium_id": read_crx(crx).id}))
    monkeypatch.setenv("ABIDE_EXTENSION_DIR", str(folder))
    return bundle()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def policy(root: Path, folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "etc" / folder / "policies" / "managed" / "abide.json").read_text())
    return found


def test_everything_is_written_for_all_accounts_and_goes_again(
    system: Config, layout: Layout, root: Path, packed: Bundle
) -> None:
    Installer(system, layout).install(None, replace=False)
    assert files(root) >= {
        *(f"etc/{name}/policies/managed/abide.json" for name in FOLDERS),
        "etc/firefox/policies/policies.json",
        "etc/chromium/native-messaging-hosts/abide.agent.json",
        "etc/opt/chrome/native-messaging-hosts/abide.agent.json",
        "etc/opt/edge/native-messaging-hosts/abide.agent.json",
        "usr/lib/mozilla/native-messaging-hosts/abide.agent.json",
        "etc/systemd/system/abide-agent.service",
        "usr/local/lib/abide-agent/native-host",
        "usr/local/lib/abide-agent/update.xml",
    }
    assert all((root / name).stat().st_mode & 0o044 == 0o044 for name in files(root) if "var/lib" not in name)
    assert (root / "usr/local/lib/abide-agent/native-host").stat().st_mode & 0o111 == 0o111
    assert "native-host --system" in (root / "usr/local/lib/abide-agent/native-host").read_text()
    Installer(system, layout).uninstall(None)
    assert files(root) == {"var/lib/abide-agent/device.key"}


def test_what_is_written_is_what_is_wanted_and_writing_it_again_changes_nothing(
    system: Config, layout: Layout, root: Path, packed: Bundle
) -> None:
    Installer(system, layout).install(None, replace=False, choices=Choices(private_windows=True))
    list_of_files = wanted(system, layout, told_of(system))
    assert [file.kind for file in list_of_files][:3] == ["wrapper", "chromium", "chrome"]
    assert {file.path: file.data for file in list_of_files} == {
        file.path: file.path.read_bytes() for file in list_of_files
    }
    assert {str(file.path.relative_to(root)) for file in list_of_files} == {
        name for name in files(root) if "var/lib" not in name
    }
    before = {name: (root / name).read_bytes() for name in files(root)}
    Installer(system, layout).install(None, replace=False)
    assert {name: (root / name).read_bytes() for name in files(root)} == before


def test_policies_install_the_packed_extension_from_its_file_and_name_the_device_key(
    system: Config, layout: Layout, root: Path, packed: Bundle
) -> None:
    Installer(system, layout).install(None, replace=False)
    key = base64.b64encode(load_key(system.key).public_key().public_bytes_raw()).decode()
    update = root / "usr/local/lib/abide-agent/update.xml"
    for name in FOLDERS:
        found = policy(root, name)
        setting = found["ExtensionSettings"][packed.chromium_id]
        assert setting["installation_mode"] == "force_installed"
        assert setting["update_url"] == update.as_uri()
        assert found["3rdparty"]["extensions"][packed.chromium_id] == {"device_key": key}
    assert packed.crx is not None
    assert packed.xpi is not None
    assert packed.crx.as_uri() in update.read_text()
    firefox = json.loads((root / "etc/firefox/policies/policies.json").read_text())["policies"]
    assert firefox["ExtensionSettings"]["packed@example"]["install_url"] == packed.xpi.as_uri()
    assert firefox["3rdparty"]["Extensions"]["packed@example"] == {"device_key": key}
    assert firefox["Preferences"]["xpinstall.signatures.required"]["Value"] is False
    manifest = json.loads((root / "etc/chromium/native-messaging-hosts/abide.agent.json").read_text())
    assert manifest["allowed_origins"] == [packed.chromium_origin]


STRICT = {
    "chromium": {"IncognitoModeAvailability": 1, "BrowserGuestModeEnabled": False},
    "chrome": {"IncognitoModeAvailability": 1, "BrowserGuestModeEnabled": False},
    "edge": {"InPrivateModeAvailability": 1, "BrowserGuestModeEnabled": False},
    "brave": {"IncognitoModeAvailability": 1, "BrowserGuestModeEnabled": False, "TorDisabled": True},
}


@pytest.mark.parametrize("name", STRICT)
def test_each_browser_gets_its_own_strict_keys_and_loses_them_by_choice(name: str, layout: Layout) -> None:
    (browser,) = (b for b in layout.browsers if b.name == name)
    told = Told(DEVELOPMENT, server="https://s.example", device_key="k")
    for choices, expected in (
        (Choices(), STRICT[name]),
        (Choices(private_windows=True), {}),
        (Choices(only_system_hosts=True), STRICT[name] | {"NativeMessagingUserLevelHosts": False}),
    ):
        told = Told(DEVELOPMENT, server="https://s.example", device_key="k", choices=choices)
        (data,) = policy_files([browser], told, Path("/u")).values()
        found = json.loads(data)
        setting = found.pop("ExtensionSettings")[EXTENSION_ID_CHROMIUM]
        assert setting["update_url"] == "https://s.example/extension/update.xml"
        assert ("toolbar_state" in setting, "toolbar_pin" in setting) == (name == "edge", name != "edge")
        assert found.pop("3rdparty") == {"extensions": {EXTENSION_ID_CHROMIUM: {"device_key": "k"}}}
        assert found == expected


def test_without_files_firefox_gets_the_servers_package_and_signatures_stay_required(layout: Layout) -> None:
    firefox = layout.browsers[-1]
    told = Told(DEVELOPMENT, server="https://s.example", xpi_signed=True)
    (data,) = policy_files([firefox], told, Path("/u")).values()
    policies = json.loads(data)["policies"]
    assert policies["ExtensionSettings"][EXTENSION_ID_FIREFOX] == {
        "installation_mode": "force_installed",
        "install_url": "https://s.example/extension/abide.xpi",
        "default_area": "navbar",
        "private_browsing": True,
    }
    assert policies["3rdparty"] == {"Extensions": {EXTENSION_ID_FIREFOX: {"trust_first_agent": True}}}
    assert "Preferences" not in policies


def test_with_neither_files_nor_server_there_is_no_policy(system: Config, layout: Layout, root: Path) -> None:
    Installer(system, layout).install(None, replace=False)
    assert not list(root.rglob("policies"))
    assert (root / "etc/chromium/native-messaging-hosts/abide.agent.json").exists()


def test_a_firefox_policy_of_somebody_else_stays_and_the_text_to_add_is_told(
    system: Config, layout: Layout, root: Path, packed: Bundle
) -> None:
    theirs = root / "etc/firefox/policies/policies.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text('{"policies":{"DisableTelemetry":true}}')
    for replace in (False, True):
        done = {o.path: o for o in Installer(system, layout).install(None, replace=replace)}
        assert done[str(theirs)].action == "theirs"
        assert "packed@example" in done[str(theirs)].advice
        assert theirs.read_text() == '{"policies":{"DisableTelemetry":true}}'
    Installer(system, layout).uninstall(None)
    assert theirs.exists()


def test_another_policy_file_that_sets_the_same_keys_is_told(
    system: Config, layout: Layout, root: Path, packed: Bundle
) -> None:
    folder = root / "etc/chromium/policies/managed"
    folder.mkdir(parents=True)
    (folder / "company.json").write_text(
        '{"ExtensionSettings":{"*":{"installation_mode":"blocked"}},"HomepageLocation":"x"}'
    )
    (folder / "harmless.json").write_text('{"HomepageLocation":"x","3rdparty":{}}')
    (folder / "broken.json").write_text("{")
    done = [o for o in Installer(system, layout).install(None, replace=False) if o.action == "theirs"]
    assert [o.path for o in done] == [str(folder / "company.json")]
    assert "ExtensionSettings" in done[0].advice


def test_the_unit_may_write_where_it_guards_and_nowhere_else(
    system: Config, layout: Layout, root: Path, packed: Bundle
) -> None:
    Installer(system, layout).install(None, replace=False)
    unit = (root / "etc/systemd/system/abide-agent.service").read_text()
    (line,) = (line for line in unit.splitlines() if line.startswith("ReadWritePaths="))
    written = {file.path.parent for file in wanted(system, layout, told_of(system)) if file.kind != "systemd"}
    assert set(line.removeprefix("ReadWritePaths=").split()) == {f"-{path}" for path in written}
    assert all(path.is_dir() for path in written)
    assert "run --system\n" in unit
    assert f"Environment=ABIDE_EXTENSION_DIR={packed.crx.parent if packed.crx else ''}\n" in unit


def test_the_native_host_of_the_system_knows_the_systems_socket() -> None:
    assert native_host._parse(["--system", "chrome-extension://x/", "--parent-window=0"]) == (
        system_config().socket,
        "chrome-extension://x/",
    )


@pytest.mark.parametrize("layout", [macos_system(), windows_system({})], ids=["macOS", "Windows"])
def test_other_systems_know_the_same_browsers(layout: Layout) -> None:
    assert [browser.name for browser in layout.browsers] == ["chromium", "chrome", "edge", "brave", "firefox"]
    assert "run it" in layout.service.template.format(command="run it")


def test_a_packed_extension_is_known_by_its_description(packed: Bundle) -> None:
    assert (packed.firefox_id, packed.version) == ("packed@example", "1.2.3")
    assert {packed.chromium_origin, DEVELOPMENT.chromium_origin} < origins(packed)


def test_an_installed_program_accepts_its_own_extension_only(packed: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.frozen", True, raising=False)
    assert origins(packed) == {packed.chromium_origin, "packed@example"}


def test_a_description_beside_an_installed_program_is_found(
    packed: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ABIDE_EXTENSION_DIR")
    monkeypatch.setattr("sys.frozen", True, raising=False)
    monkeypatch.setattr("sys.executable", str(tmp_path / "abide-agent"))
    assert bundle() == packed
    monkeypatch.setattr("sys.executable", str(tmp_path / "elsewhere" / "abide-agent"))
    assert bundle() == DEVELOPMENT


@pytest.mark.parametrize("text", [None, "{", "{}", '{"crx":1}'], ids=["missing", "broken", "empty", "of wrong types"])
def test_a_description_that_cannot_be_used_is_said(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        (tmp_path / "extension.json").write_text(text)
    monkeypatch.setenv("ABIDE_EXTENSION_DIR", str(tmp_path))
    with pytest.raises(ConfigurationError):
        bundle()
