"""The policy: its language, catalogue, engine, records and signatures.

Pure: no network, no clock, no asyncio. Everything here is a function of values and, where it matters, of a time
that the caller passes in.
"""

__version__ = "0.1.0"
