"""What each permission allows, as a sentence: for those who choose scopes or roles."""

from todo.actions import Permission

# By verb, where the rest of the name says on what.
_BY_VERB = {
    "add": "Add {}.",
    "all": "Reach the {} of all users in the administration, not only your own.",
    "change": "Change {}.",
    "delete": "Delete {}.",
    "export": "Export {} from the administration.",
    "view": "View {}.",
}
_TEXTS: dict[Permission, str] = {
    "accounts.change": "Change your account: name, time zone, e-mail address and vacation.",
    "accounts.leave": "Delete your account.",
    "accounts.me": "View your account: name, e-mail address, roles, usage and vacation.",
    "accounts.passkeys": "Manage your passkeys.",
    "accounts.password": "Change your password.",
    "accounts.second_factor": "Manage your authenticator app and recovery codes.",
    "accounts.sessions": "View and end your sessions.",
    "accounts.tokens": "Manage your personal access tokens.",
    "admin.enter": "Use the administration; each of its resources needs permissions of its own.",
    "audit.export": "Export the audit log.",
    "audit.values": "View the values before and after each change in the audit log.",
    "audit.view": "View the audit log, without values.",
    "deliveries.retry": "Send failed deliveries again.",
    "identities.delete": "Delete links between users and identity providers.",
    "identities.view": "View which users sign in with which identity provider.",
    "invitations.add": "Invite people to register.",
    "invitations.delete": "Withdraw invitations.",
    "issuers.view": "View the identity providers.",
    "jobs.abort": "Stop queued and running jobs.",
    "jobs.retry": "Run finished jobs again.",
    "metrics.view": "Read the metrics for Prometheus.",
    "notifications.change": "Mark notifications as read, and change when to send which.",
    "operations.view": "View the state of the service: health, queue and charts.",
    "passkeys.revoke": "Delete passkeys of other users.",
    "passkeys.view": "View the passkeys of all users.",
    "personal_tokens.revoke": "Revoke personal access tokens of other users.",
    "personal_tokens.view": "View the personal access tokens of all users, without the secrets.",
    "runs.cancel": "Stop background jobs of the administration.",
    "runs.undo": "Undo background jobs of the administration as a whole.",
    "runs.view": "View the background jobs of the administration.",
    "schedules.run_now": "Run scheduled jobs at once.",
    "series.end": "End series in the administration.",
    "series.explain": "See in the administration why series did or did not come up.",
    "series.pause": "Pause series in the administration.",
    "series.resume": "Resume series in the administration.",
    "series.run": "Evaluate series at once, in the administration.",
    "series.skip_missed": "Skip missed occurrences in the administration.",
    "sessions.end": "End sessions of other users.",
    "sessions.view": "View the sessions of all users.",
    "settings.view": "View the settings of the service, with secrets masked.",
    "signing_keys.revoke": "Revoke signing keys, so that their tokens are refused.",
    "signing_keys.rewrap": "Encrypt stored secrets with the current secret key.",
    "signing_keys.rotate": "Sign with a new key.",
    "tasks.cancel": "Cancel tasks in the administration.",
    "tasks.change": "Change, complete, reopen, cancel and skip tasks.",
    "tasks.complete": "Complete tasks in the administration.",
    "tasks.complete_all": "Complete tasks with their subtasks in the administration.",
    "tasks.delete": "Move tasks to the trash, restore them, and delete them from the trash.",
    "tasks.explain": "See in the administration why tasks did or did not come up.",
    "tasks.import": "Import tasks in the administration.",
    "tasks.purge": "Delete tasks for good in the administration.",
    "tasks.reopen": "Reopen tasks in the administration.",
    "tasks.skip": "Skip tasks in the administration.",
    "users.add_service_account": "Add accounts for programs.",
    "users.begin_vacation": "Pause all series of other users.",
    "users.change": "Change names and time zones of other users.",
    "users.disable": "Disable other users, which ends their sessions.",
    "users.enable": "Enable disabled users.",
    "users.end_vacation": "End the vacation of other users.",
    "users.grant_role": "Give roles to other users.",
    "users.impersonate": "Use the administration as another user.",
    "users.reset_second_factor": "Remove the second factor of other users.",
    "users.send_reset": "Send other users a mail to choose a new password.",
    "users.set_quota": "Set the quotas of other users.",
    "users.sign_out": "End all sessions of other users.",
    "users.take_role": "Take roles from other users.",
}  # fmt: skip


def text_of(permission: Permission) -> str:
    """Return what a permission allows, as a sentence."""
    if permission in _TEXTS:
        return _TEXTS[permission]
    resource, _, verb = permission.replace("_", " ").partition(".")
    return _BY_VERB.get(verb, f"{verb.capitalize()} {{}}.").format(resource)
