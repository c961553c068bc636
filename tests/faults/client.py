"""python-tuf's own client over the files of a repository: what any client would take from it now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from abide_rules.wire import POLICY_TARGET


class _Files(FetcherInterface):
    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield Path(url).read_bytes()
        except FileNotFoundError as error:
            raise DownloadHTTPError(url, 404) from error


def newest_release(repository: Path, memory: Path) -> bytes:
    """Refresh from ``memory`` (what this client saw before) and return the release. Raises python-tuf's errors."""
    memory.mkdir(exist_ok=True)
    root = (repository / "metadata" / "1.root.json").read_bytes()
    client = Updater(
        str(memory),
        f"{repository}/metadata/",
        target_base_url=f"{repository}/targets/",
        fetcher=_Files(),
        bootstrap=root,
    )
    client.refresh()
    info = client.get_targetinfo(POLICY_TARGET)
    assert info is not None
    return Path(client.download_target(info, str(memory / "release"))).read_bytes()
