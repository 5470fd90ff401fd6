"""One tree of errors.

Every error szem raises on purpose derives from :class:`SzemError` and also from the built-in error it resembles, so
`except ValueError` keeps working. A message says, in one string: the subject, the rule, what was got, and the remedy.

This file does not know about HTTP; `szem.serve.status` maps the tree to status codes in one place.
"""

__all__ = [
    "BusyError",
    "CardError",
    "ChecksumError",
    "DTypeError",
    "DeniedError",
    "EmptyFileError",
    "FileMissingError",
    "FormatError",
    "MediaError",
    "MissingExtraError",
    "ModelError",
    "NotFoundError",
    "OverwriteError",
    "RangeError",
    "RulesError",
    "ShapeError",
    "StoreError",
    "SzemError",
    "TimeLimitError",
    "TooLargeError",
    "TrainError",
    "UnknownNameError",
    "UnsupportedError",
    "WorkerCrashError",
]


class SzemError(Exception):
    """Root of every error that szem raises on purpose."""


class ShapeError(SzemError, ValueError):
    """An array has the wrong number of axes or the wrong sides."""


class DTypeError(SzemError, TypeError):
    """An array or argument has the wrong type."""


class RangeError(SzemError, ValueError):
    """A number lies outside what is allowed."""


class UnknownNameError(SzemError, ValueError):
    """A name (kernel, model, border, task) is not in its table; the message lists what is."""


class MediaError(SzemError, ValueError):
    """A picture, video or sound could not be read or written."""


class FormatError(MediaError):
    """The bytes are damaged, truncated, or of a format szem does not read."""


class EmptyFileError(MediaError):
    """The file has no bytes, or no picture in it."""


class NoPicturesError(EmptyFileError):
    """A video or stream of sound alone."""


class TooLargeError(MediaError):
    """The picture, file or request is larger than the stated limit."""


class FileMissingError(SzemError, FileNotFoundError):
    """A path names nothing."""


class CardError(SzemError, ValueError):
    """A model card is incomplete or contradicts its model."""


class ChecksumError(CardError):
    """A model file is not the one its card describes."""


class RulesError(SzemError, ValueError):
    """A rules file of `szem watch` says something that cannot be followed; the message holds the line and the key."""


class ModelError(SzemError, RuntimeError):
    """A network could not be loaded or run, or gave outputs that do not fit its task."""


class TrainError(SzemError, RuntimeError):
    """Training could not start or go on (for example a loss that is not finite)."""


class MissingExtraError(SzemError, ImportError):
    """An optional part is not installed; the message holds the pip command."""


class UnsupportedError(SzemError, NotImplementedError):
    """Asked for something this version does not do; the message says what it does."""


class NotFoundError(SzemError, LookupError):
    """A stored thing (operation, event, model) does not exist."""


class StoreError(SzemError, OSError):
    """What is kept on disk or in a database cannot be read or written now (no space, no connection)."""


class OverwriteError(SzemError, FileExistsError):
    """A result would replace a file of the user's own; the message says where else it may go."""


class DeniedError(SzemError, PermissionError):
    """The operator has not allowed this (a folder, a host, a key)."""


class BusyError(SzemError, RuntimeError):
    """All places are taken; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TimeLimitError(SzemError, TimeoutError):
    """The work took longer than it may, and was stopped."""


class WorkerCrashError(SzemError, RuntimeError):
    """The process that worked on an input ended; nothing else was affected."""
