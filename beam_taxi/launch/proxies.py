"""Proxies of the environment are for other machines: what goes to this one never goes through them."""

from __future__ import annotations

import os

_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
_PROXIES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy")
# gRPC reads the first that is set of `no_grpc_proxy` and `no_proxy`, curl and Python's clients also NO_PROXY.
_NAMES = ("no_grpc_proxy", "no_proxy", "NO_PROXY")


def except_loopback() -> None:
    """Except this machine from the proxies of this process and of those that it starts, if there are any."""
    if not any(name.lower() in _PROXIES for name in os.environ):
        return
    general = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    for name in _NAMES:
        excepted = [one for one in os.environ.get(name, general).split(",") if one]
        # Python's clients read `*`, for no proxy at all, only on its own.
        if excepted != ["*"] or name == "no_grpc_proxy":
            os.environ[name] = ",".join([*excepted, *(one for one in _LOOPBACK if one not in excepted)])
