"""What shows how a process of the service does: its logs, traces and error reports."""

from todo import __version__, tracing
from todo.http import logs
from todo.http.health import NAME
from todo.setting_errors import SettingsError
from todo.settings import Settings


def observe(settings: Settings) -> None:
    """Begin to write logs and, where they are configured, to send traces and error reports.

    Raise SettingsError when an extra for these is not installed.
    """
    logs.configure(settings)
    tracing.start(__version__, NAME)
    dsn = settings.sentry_dsn.get_secret_value()
    if not dsn:
        return
    try:
        from todo import error_reports  # noqa: PLC0415 -- costs time and memory, and may not be installed
    except ModuleNotFoundError:
        raise SettingsError(
            "TODO_SENTRY_DSN: error reports need the extra `sentry` (in todo's folder: pip install '.[sentry]')."
        ) from None
    error_reports.start(dsn, settings.env)
