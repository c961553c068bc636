"""Typed keys under which an application carries its parts."""

from __future__ import annotations

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_server.clock import Clock
from abide_server.config import ServerConfig
from abide_server.console.page import Console
from abide_server.devicekeys import DeviceKeys
from abide_server.metrics import Metrics
from abide_server.push import Hub
from abide_server.repository import Repository
from abide_server.requestauth import Nonces
from abide_server.store.base import Store

CONFIG = web.AppKey("config", ServerConfig)
STORE: web.AppKey[Store] = web.AppKey("store")
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
REPOSITORY = web.AppKey("repository", Repository)
RECEIPT_KEY = web.AppKey("receipt_key", Ed25519PrivateKey)
DEVICE_KEYS = web.AppKey("device_keys", DeviceKeys)
HUB = web.AppKey("hub", Hub)
NONCES = web.AppKey("nonces", Nonces)
METRICS = web.AppKey("metrics", Metrics)
CONSOLE = web.AppKey("console", Console)
