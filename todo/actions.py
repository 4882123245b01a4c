"""The registry of action names, used as permissions, as admin actions and in the audit log."""

from typing import Literal, get_args

Permission = Literal[
    "accounts.change", "accounts.leave", "accounts.me", "accounts.passkeys", "accounts.password",
    "accounts.second_factor", "accounts.sessions", "accounts.tokens",
    "admin.enter",
    "audit.export", "audit.values", "audit.view",
    "deliveries.export", "deliveries.retry", "deliveries.view",
    "identities.delete", "identities.export", "identities.view",
    "invitations.add", "invitations.delete", "invitations.export", "invitations.view",
    "issuers.export", "issuers.view",
    "jobs.abort", "jobs.retry", "jobs.view",
    "metrics.view",
    "notification_preferences.all", "notification_preferences.export", "notification_preferences.view",
    "notifications.all", "notifications.change", "notifications.export", "notifications.view",
    "occurrences.export", "occurrences.view",
    "operations.view",
    "passkeys.export", "passkeys.revoke", "passkeys.view",
    "personal_tokens.export", "personal_tokens.revoke", "personal_tokens.view",
    "reminders.add", "reminders.all", "reminders.change", "reminders.delete", "reminders.export", "reminders.view",
    "roles.add", "roles.change", "roles.delete", "roles.export", "roles.view",
    "runs.all", "runs.export", "runs.view",
    "saved_views.add", "saved_views.change", "saved_views.delete", "saved_views.view",
    "schedules.run_now", "schedules.view",
    "series.all", "series.change", "series.end", "series.export", "series.pause", "series.resume", "series.run",
    "series.skip_missed", "series.view",
    "sessions.end", "sessions.export", "sessions.view",
    "settings.export", "settings.view",
    "signing_keys.export", "signing_keys.revoke", "signing_keys.rewrap", "signing_keys.rotate", "signing_keys.view",
    "tasks.add", "tasks.all", "tasks.cancel", "tasks.change", "tasks.complete", "tasks.delete", "tasks.export",
    "tasks.import", "tasks.purge", "tasks.reopen", "tasks.skip", "tasks.view",
    "users.add_service_account", "users.begin_vacation", "users.change", "users.disable", "users.enable",
    "users.end_vacation", "users.export", "users.grant_role", "users.impersonate", "users.reset_second_factor",
    "users.send_reset", "users.set_quota", "users.sign_out", "users.take_role", "users.view",
    "workers.view",
]  # fmt: skip
# Recorded in the audit log, but not permissions.
Event = Literal[
    "accounts.ask_change_email", "accounts.ask_reset", "accounts.ask_verify", "accounts.begin_vacation",
    "accounts.cancel_deletion", "accounts.change_email",
    "accounts.code_refused", "accounts.end_vacation", "accounts.erase", "accounts.link", "accounts.login",
    "accounts.login_refused", "accounts.passkey_refused", "accounts.password_refused",
    "accounts.reauthentication_failed", "accounts.provision", "accounts.recovery_codes", "accounts.register",
    "accounts.register_refused", "accounts.register_taken", "accounts.reset_password", "accounts.totp_begin",
    "accounts.totp_confirm", "accounts.totp_remove", "accounts.verify_email",
    "invitations.accept",
    "occurrences.repair",
    "notifications.read", "notifications.read_all", "notifications.unsubscribe",
    "passkeys.add",
    "personal_tokens.add",
    "reminders.snooze",
    "series.begin", "series.repair",
    "sessions.begin", "sessions.elevate", "sessions.impersonate", "sessions.impersonate_end",
    "sessions.reauthenticate", "sessions.reuse",
    "signing_keys.add", "signing_keys.retire",
    "tasks.miss", "tasks.move", "tasks.open", "tasks.repair", "tasks.restore", "tasks.undo",
    "users.impersonate_end", "users.repair", "users.set_password",
]  # fmt: skip
Action = Permission | Event
ACTIONS: dict[str, Action] = {name: name for part in get_args(Action) for name in get_args(part)}
PERMISSIONS: frozenset[Permission] = frozenset(get_args(Permission))
