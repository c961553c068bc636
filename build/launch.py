"""The program that PyInstaller freezes. It lies apart from the package, whose folder would shadow the standard library."""

import sys

from abide_agent.cli import main

sys.exit(main())
