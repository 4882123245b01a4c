"""What `todo up --demo` fills in: three people with their work and a shared project, made by the usual services."""

from todo.access import Actor
from todo.cli.demo_entries import Entry, add_all
from todo.cli.demo_project import share_project
from todo.cli.operator import cli_origin
from todo.database import Database
from todo.domain.accounts.schemas.users import Registration
from todo.domain.accounts.services.sign_in import SignIn
from todo.domain.accounts.services.users import AccountService
from todo.domain.recurrence.schemas import Recurrence

LONDON, NEW_YORK, HELSINKI = "Europe/London", "America/New_York", "Europe/Helsinki"
RENT = Recurrence(rrule="FREQ=MONTHLY;BYMONTHDAY=31")
REVIEW = Recurrence(rrule="FREQ=WEEKLY;BYDAY=MO", on_missed="skip_to_next")
WATER = Recurrence(rrule="FREQ=DAILY;INTERVAL=3", anchor="completion")
STANDUP = Recurrence(rrule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", on_missed="skip_to_next")
BACKUP = Recurrence(rrule="FREQ=MONTHLY;BYDAY=1SA")
BIRTHDAY = Recurrence(rrule="FREQ=YEARLY")


ADA = [
    Entry("Pay the rent", (-40,), 4, "Standing order failed in spring: pay by hand.", "done", 5, RENT),
    Entry("Weekly review", (-6, "09:00"), 2, "Inbox, calendar, waiting list.", "done", 45, REVIEW),
    Entry("Water the plants", (-4,), 1, "The fern wants less.", "done", 10, WATER),
    Entry("Send the notes on the engine to Charles", (-3,), 3, "Note G is still missing a table.", "in_progress", 90),
    Entry("Call the dentist", (-1, "10:30"), 2, "Ask for the last appointment of the day."),
    Entry("Buy birthday present for Annabella", (0,), 3, "Something about horses, nothing that makes noise."),
    Entry("Review Grace's compiler patch", (0, "16:00"), 3, minutes=60),
    Entry("Call with the New York office", (1, "11:00", NEW_YORK), 3, "Dial in five minutes early.", minutes=30),
    Entry("Return the library books", (2,), 1, "Two are on the shelf in the hall."),
    Entry("Renew the passport", (21,), 2, "Photos: 35 x 45 mm.", "waiting"),
    Entry("Book train tickets to Ockham", (9, "20:00"), 1, "Quiet coach, if there is one."),
    Entry("Draft the talk about looms and punched cards", (14,), 2, status="in_progress", minutes=240),
    Entry("Prepare the tax return", (60,), 3, "Receipts are in the blue folder."),
    Entry("Read the paper on Bernoulli numbers", notes="From section 3 on."),
    Entry("Learn to whistle"),
    Entry("Order new ink", (-8,), 1, status="done"),
    Entry("Fix the squeaking door", (-5,), 1, status="done", minutes=15),
    Entry("Thank Mary for the introduction", (-2,), 2, status="done"),
    Entry("Subscribe to the almanac", status="deleted"),
]
GRACE = [
    Entry("Stand-up", (-1, "09:15", NEW_YORK), 2, "Yesterday, today, what is in the way.", "open", 15, STANDUP),
    Entry("Pay the rent", (-40,), 4, status="done", minutes=5, recurrence=RENT),
    Entry("Back up the laptop", (-20,), 2, "Two copies, one of them elsewhere.", "open", 30, BACKUP),
    Entry("Water the orchids", (-2,), 1, status="done", minutes=5, recurrence=WATER),
    Entry("Release the compiler", (3, "17:00", NEW_YORK), 4, "Changelog first, announcement last.", minutes=120),
    Entry("Find the moth in relay 70", (-2,), 3, "Tape it into the log book.", "in_progress"),
    Entry("Answer Ada about the loop", (-1,), 2),
    Entry("Order wire, 11.8 inches a piece", (1,), 1, "One nanosecond each; enough for the whole class."),
    Entry("Prepare the lecture", (4, "14:00"), 3, "Bring the nanoseconds.", "in_progress", 180),
    Entry("Lunch with Howard", (2, "12:30"), 1),
    Entry("Renew the parking permit", (12,), 2, status="waiting"),
    Entry("Change the tyres", (30,), 1),
    Entry("Write down why we do it this way", notes="Because it has always been done so is no reason."),
    Entry("Sort the photographs"),
    Entry("Sign the travel form", (-6,), 2, status="done"),
    Entry("Return the oscilloscope", (-9,), 2, status="done"),
    Entry("Proofread chapter four", (-1, "18:00"), 2, status="done", minutes=90),
    Entry("Cancel the old newspaper", status="deleted"),
]
LINUS = [
    Entry("Weekly review", (-6, "10:00", HELSINKI), 2, "What can be dropped?", "open", 30, REVIEW),
    Entry("Pay the rent", (-10,), 4, minutes=5, recurrence=RENT),
    Entry("Water the cactus", (-1,), notes="A spoonful.", minutes=1, recurrence=WATER),
    Entry("Mum's birthday", (25,), 3, "Call before noon.", recurrence=BIRTHDAY),
    Entry("Close the merge window", (5, "23:59", HELSINKI), 4, "No exceptions this time."),
    Entry("Read the mail about the scheduler", (-3,), 2, "Count to ten before answering."),
    Entry("Service the diving gear", (10,), 2, "Regulator and both hoses.", "waiting"),
    Entry("Replace the keyboard", (1,), 1, "Brown switches, no lights."),
    Entry("Dinner with the neighbours", (2, "19:00"), 1, "We bring the dessert."),
    Entry("Bisect the boot failure", (0, "15:00"), 4, "It worked eleven steps ago.", "in_progress", 120),
    Entry("Book the ferry", (18,), 2),
    Entry("Clean the gutters", (-12,), 1, "Before the leaves come down."),
    Entry("Try the new merge strategy", notes="On a copy."),
    Entry("Fill in the conference form", (-4,), 2, status="done"),
    Entry("Oil the bicycle chain", (-2,), 1, status="done", minutes=10),
    Entry("Explain rebase to the intern", (-1, "13:00"), 2, status="done", minutes=45),
    Entry("Buy another penguin", status="deleted"),
]
PEOPLE = [
    ("ada@example.com", "Ada Lovelace", LONDON, ADA),
    ("grace@example.com", "Grace Hopper", NEW_YORK, GRACE),
    ("linus@example.com", "Linus", HELSINKI, LINUS),
]


async def fill(database: Database, sign_in: SignIn, password: str) -> dict[str, str]:
    """Add everything in one transaction, and nothing when one of the people is there; what the banner tells."""
    password_hash = await sign_in.passwords.hash(password)
    people: list[Actor] = []
    async with database.session(cli_origin()) as session:
        for email, name, timezone, entries in PEOPLE:
            data = Registration(email=email, password=password, name=name, timezone=timezone)
            user = await AccountService(session, session.origin.actor).register(data, password_hash)
            if user is None:
                await session.rollback()
                return {"Demo": f"nothing added: {email} is there already"}
            people.append(Actor(id=user.id, name=email, timezone=timezone))
            await add_all(session, people[-1], entries)
        await share_project(session, *people)
    names = ", ".join(email for email, *_ in PEOPLE)
    return {"Demo people": names, "Their password": f"{password}   (shown once: keep it)"}
