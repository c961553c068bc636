"""``python -m abide_agent``."""

import sys

from abide_agent.cli import main

sys.exit(main())
