"""Public keys by device. A device's id is the hash of its key, so a key never changes and may be remembered.

Whether a device is revoked is *not* remembered here; the store says so in the transaction that matters.
"""

from __future__ import annotations

from collections import OrderedDict

from abide_server.problems import RefusedError
from abide_server.store.base import Store

MAX_REMEMBERED = 50_000


class DeviceKeys:
    """Looks up the public key (32 raw bytes) of an enrolled device, in memory if it can."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: OrderedDict[str, bytes] = OrderedDict()

    async def get(self, device: str) -> bytes:
        """Return the key. Raises RefusedError (unknown-device)."""
        known = self._keys.get(device)
        if known is not None:
            return known
        row = await self._store.device(device)
        if row is None:
            raise RefusedError(
                "unknown-device", f"{device} is not enrolled here", advice="Keep the key and ask the administrator."
            )
        self._keys[device] = row.public_key
        while len(self._keys) > MAX_REMEMBERED:
            self._keys.popitem(last=False)
        return row.public_key

    async def get_active(self, device: str) -> bytes:
        """Return the key of a device that is not revoked. Raises RefusedError."""
        row = await self._store.device(device)
        if row is not None and row.revoked is not None:
            raise RefusedError("revoked-device", f"{device} was revoked")
        return await self.get(device)
