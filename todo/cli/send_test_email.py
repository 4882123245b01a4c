"""`todo send-test-email`."""

import asyncio

import aiosmtplib
import rich_click as click

from todo.cli.lazy import CommandError
from todo.database import now
from todo.delivery.email import Content, email, is_one_address
from todo.delivery.engine import TIMEOUT, Rejected
from todo.delivery.smtp import Smtp, server_of
from todo.setting_errors import without_passwords
from todo.settings import Settings, load_settings

TEXT = "This is a test: the mail server of this installation takes e-mails.\n"


@click.command("send-test-email")
@click.argument("address")
def send_test_email(address: str) -> None:
    """Send an e-mail at once, to try TODO_MAIL_URL and TODO_MAIL_FROM.

    It is sent from here, not by a worker, and needs no database.

    Example:

        todo send-test-email ada@example.com
    """
    settings = load_settings()
    server = server_of(settings)
    if not is_one_address(address):
        raise CommandError("ADDRESS: enter an e-mail address.")
    asyncio.run(_send(settings, address))
    if server.scheme == "console":
        click.echo("TODO_MAIL_URL is console://: the e-mail was logged, not sent.")
    else:
        click.echo(f"{server.host} took an e-mail from {server.sender.addr_spec} to {address}.")


async def _send(settings: Settings, address: str) -> None:
    delivery = email(address, "Test of todo", Content(TEXT))
    delivery.created_at = now()
    try:
        async with asyncio.timeout(TIMEOUT):
            await Smtp(settings).deliver(delivery)
    except (aiosmtplib.SMTPException, OSError, Rejected) as error:
        reason = without_passwords(str(error)).rstrip(".") or "no answer in time"
        raise CommandError(f"The e-mail was not sent: {reason}. Check TODO_MAIL_URL and TODO_MAIL_FROM.") from None
