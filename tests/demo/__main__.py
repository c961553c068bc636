"""``python -m tests.demo``: the demonstration, for a person or, with ``--headless``, unattended."""

from __future__ import annotations

import argparse
import shutil
import sys

from tests.demo.browsers import CHROMIUMS, find
from tests.demo.by_hand import by_hand
from tests.demo.driver import BROWSERS
from tests.demo.firefox import FIREFOXES
from tests.demo.programs import ROOT, StoryError
from tests.demo.story import Story

FOLDER = ROOT / "var" / "demo"


def main() -> int:
    """Run the demonstration; the exit code says whether everything was seen."""
    arguments = argparse.ArgumentParser(prog="make demo", description=__doc__)
    arguments.add_argument("--headless", action="store_true", help="tell the whole story unattended")
    arguments.add_argument("--browser", choices=BROWSERS, help="which browser (default: the one that is found)")
    arguments.add_argument("--shots", action="store_true", help="renew the screenshots of the README")
    options = arguments.parse_args()
    try:
        if not options.headless:
            return by_hand(FOLDER, options.browser)
        print("Abide: server, agent and browser on this machine", flush=True)
        name = options.browser or ("firefox" if find(FIREFOXES) and not find(CHROMIUMS) else "chromium")
        summary = Story(FOLDER, FOLDER / "screenshots", lambda line: print(line, flush=True), name).tell()
    except StoryError as error:
        print(error, file=sys.stderr)
        return 1
    if options.shots and summary.ok:
        shutil.copytree(FOLDER / "screenshots", ROOT / "tests" / "demo" / "screenshots", dirs_exist_ok=True)
    print(f"{'ok' if summary.ok else 'NOT OK'}: {FOLDER / 'summary.json'}, screenshots beside it")
    return 0 if summary.ok else 1


if __name__ == "__main__":
    sys.exit(main())
