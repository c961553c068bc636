"""What an administrator's policy says to a browser: install the extension, keep it, and tell it whom to trust.

The same objects go into policy files on the laptop and are printed for GPO, Intune and other management. Every key that
is set is explained where it is set; what is not needed to keep the extension working is not set.
Sources: the browsers' policy lists (chromeenterprise.google/policies, learn.microsoft.com/deployedge, support.brave.com,
mozilla.github.io/policy-templates).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Browser = Literal["chromium", "chrome", "edge", "brave", "firefox"]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What one browser is told.

    ``source`` is the update manifest (Chromium) or the XPI itself (Firefox), https or file. ``device_key`` is base64 of
    the agent's public key; without one the extension keeps the first key it sees. ``private_windows``: leave windows
    that the extension cannot guard as they are. ``only_system_hosts``: native-messaging hosts of accounts are not
    started, of no program. ``signed``: the XPI carries Mozilla's signature.
    """

    id: str
    source: str
    device_key: str = ""
    private_windows: bool = False
    only_system_hosts: bool = False
    signed: bool = True


def managed_configuration(device_key: str) -> dict[str, Any]:
    """Return what the extension reads as its managed configuration."""
    return {"device_key": device_key} if device_key else {"trust_first_agent": True}


def chromium_policy(wish: Wish, browser: Browser = "chromium") -> dict[str, Any]:
    """Return the policy of Chromium, Chrome, Edge or Brave.

    - ``ExtensionSettings`` installs the extension in every profile and takes the switch and *remove* away. With
      ``override_update_url`` updates come from the same place, whatever the manifest says. The icon is pinned, because
      people shall see what guards them.
    - ``3rdparty`` is the extension's managed configuration.
    - ``IncognitoModeAvailability`` 1 (Edge: ``InPrivateModeAvailability``): no policy can put an extension into private
      windows, so they would not be guarded. Brave: ``TorDisabled`` for the same reason.
    - ``BrowserGuestModeEnabled`` false: a guest window has no extensions.
    - ``NativeMessagingUserLevelHosts`` false only when it was asked for: it would also end the native hosts that people
      installed for themselves (password managers).
    - ``DeveloperToolsAvailability`` is not touched: people need their tools on their own pages.
    """
    pin = {"toolbar_state": "force_shown"} if browser == "edge" else {"toolbar_pin": "force_pinned"}
    installed = {
        "installation_mode": "force_installed",
        "update_url": wish.source,
        "override_update_url": True,
        **pin,
    }
    policy: dict[str, Any] = {
        "ExtensionSettings": {wish.id: installed},
        "3rdparty": {"extensions": {wish.id: managed_configuration(wish.device_key)}},
    }
    if not wish.private_windows:
        policy |= {"BrowserGuestModeEnabled": False}
        policy["InPrivateModeAvailability" if browser == "edge" else "IncognitoModeAvailability"] = 1
        if browser == "brave":
            policy["TorDisabled"] = True
    if wish.only_system_hosts:
        policy["NativeMessagingUserLevelHosts"] = False
    return policy


def firefox_policy(wish: Wish) -> dict[str, Any]:
    """Return the content of Firefox's ``policies.json``.

    - ``ExtensionSettings`` installs the extension in every profile. ``private_browsing`` puts it into private windows too,
      so these need not be closed: they are guarded, and nothing is recorded in them.
    - ``DisableSafeMode``: troubleshoot mode starts without extensions.
    - ``xpinstall.signatures.required`` false (Firefox ESR only) is set for a package without Mozilla's signature: it would
      not be installed otherwise. It holds for all add-ons; with a signed package it is left out.
    """
    installed: dict[str, Any] = {
        "installation_mode": "force_installed",
        "install_url": wish.source,
        "default_area": "navbar",
    }
    if not wish.private_windows:
        installed["private_browsing"] = True
    policies: dict[str, Any] = {
        "ExtensionSettings": {wish.id: installed},
        "3rdparty": {"Extensions": {wish.id: managed_configuration(wish.device_key)}},
        "DisableSafeMode": True,
    }
    if not wish.signed:
        policies["Preferences"] = {"xpinstall.signatures.required": {"Value": False, "Status": "locked"}}
    return {"policies": policies}


def as_text(policy: dict[str, Any]) -> bytes:
    """Return a policy as the text of its file."""
    return msgspec.json.format(msgspec.json.encode(policy)) + b"\n"
