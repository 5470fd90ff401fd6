"""When a video was recorded. Its container is opened for that: call it where a damaged one does no harm."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import av

from szem.media.sources import file_url

__all__ = ["video_start"]


def video_start(path: Path) -> float:
    """When a video was recorded, in seconds since 1970: as it says itself, else so that it ended when it was written.

    A guess in the latter case: copying a file may change that. A file that cannot be read began when it was written;
    whoever watches it reports what is wrong with it.
    """
    recorded, duration_s = "", 0.0
    try:
        with av.open(file_url(path), options={"protocol_whitelist": "file"}) as container:
            recorded = container.metadata.get("creation_time", "")
            duration_s = (container.duration or 0) / av.time_base
    except (av.FFmpegError, OSError, ValueError):
        pass
    with suppress(ValueError):
        when = datetime.fromisoformat(recorded)
        if when.year > 1990:  # some write 1904 or 1970 for "unknown"
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    try:
        return path.stat().st_mtime - duration_s
    except OSError:  # it is gone since
        return time.time()
