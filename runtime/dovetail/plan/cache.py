"""Where this user's files are kept that can be made again at any time."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$DOVETAIL_CACHE`, else `$XDG_CACHE_HOME/dovetail`, else `~/.cache/dovetail`. It need not be there."""
    if own := os.environ.get("DOVETAIL_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "dovetail"
    return Path(os.path.expanduser("~")) / ".cache" / "dovetail"
