"""How to install an extra, by the name under which this project was really installed.

The project's name on the package index belongs to whoever takes it: no hint may lead there.
"""

import json
import os
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import unquote, urlparse

_DISTRIBUTION = "fakefacecli"


def how_to_install(extra: str) -> str:
    """The command that adds `extra`, for people to copy.

    What pip noted of the installation (PEP 610) says where the project came from: a folder or a
    repository. Without a note, or where the folder is gone, it says in words where to run pip.
    """
    try:
        noted = json.loads(distribution(_DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        noted = {}
    url = noted.get("url") if isinstance(noted, dict) else None
    if not isinstance(url, str):
        return f"pip install '.[{extra}]' in the folder of fakeface's sources"
    place = urlparse(url)
    if "vcs_info" in noted:
        kind = noted["vcs_info"].get("vcs", "git")
        return f"pip install {shlex.quote(f'{_DISTRIBUTION}[{extra}] @ {kind}+{url}')}"
    folder = unquote(place.path)
    if place.scheme == "file" and os.path.isdir(folder):
        return f"pip install {shlex.quote(f'{folder}[{extra}]')}"
    return f"pip install '.[{extra}]' in the folder of fakeface's sources"
