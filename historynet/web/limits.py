"""What the page lets anybody do at most; imports nothing, so that `--help` is quick."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the page lets anybody do at most.

    Attributes:
        megabytes: of a file, 10^6 bytes.
        megapixels: of a page of a picture.
        film_megapixels: of a film's frame.
        pages: of a document.
        film_seconds: of a film, by its header.
        inputs: files of a session at a time, and results of them that wait.
        results: of a file, the newest of which are kept.
        sessions: at a time.
        waiting: results that wait for their turn, of all sessions.
        uploads: at a time, of all sessions.
        disk: gigabytes (10^9 bytes) of uploads and results, of all sessions.
        memory: gigabytes (10^9 bytes) that the process is to stay within: what would need more waits.
        at_once: results that are made at a time.
        keep_seconds: for which a file is kept after it was last worked on.
        left_seconds: for which a session is kept that no page listens to.
        end_seconds: the same after the page has said that it goes; it may only have been loaded again.
        idle_seconds: without a byte of an upload after which it is given up.
        upload_seconds: that an upload takes at most.
        read_seconds: that reading a picture takes at most.
        heartbeat_seconds: between two signs of life of the stream of events.
    """

    megabytes: float = 1000
    megapixels: float = 60
    film_megapixels: float = 9
    pages: int = 100
    film_seconds: float = 600
    inputs: int = 100
    results: int = 20
    sessions: int = 1000
    waiting: int = 1000
    uploads: int = 64
    disk: float = 20
    memory: float = 3
    at_once: int = 2
    keep_seconds: float = 3600
    left_seconds: float = 600
    end_seconds: float = 10
    idle_seconds: float = 30
    upload_seconds: float = 900
    read_seconds: float = 60
    heartbeat_seconds: float = 15
