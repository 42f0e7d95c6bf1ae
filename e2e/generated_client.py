"""Uses a client generated from the served OpenAPI document: generated_client.py FOLDER URL."""

import datetime
import sys

sys.path.insert(0, sys.argv[1])

from event_io_client import AuthenticatedClient, Client
from event_io_client.api.events import create_event, list_events, read_event
from event_io_client.api.registrations import list_registrations, put_registration, read_registration, register
from event_io_client.api.users import create_user, login
from event_io_client.models import Credentials, NewEvent, NewRegistration, NewUser, Problem

client = Client(base_url=sys.argv[2])
start = datetime.datetime(2027, 5, 1, 18, tzinfo=datetime.timezone.utc)


def person(user):
    """All but the token: each answer has one of its own, which holds the second of its issue."""
    return user.id, user.name, user.email, user.created_at


new_user = NewUser(name="Ada", email="ada@example.org", password="correct horse battery")
user = create_user.sync(client=client, body=new_user, idempotency_key="sign-up")
assert user.name == "Ada" and user.created_at.year > 2000, user
again = create_user.sync_detailed(client=client, body=new_user, idempotency_key="sign-up")
assert again.status_code == 201 and person(again.parsed) == person(user), again
assert again.headers["Idempotency-Replayed"] == "true" and again.headers["Location"].endswith(user.id), again.headers
known = login.sync(client=client, body=Credentials(email="ADA@example.org", password="correct horse battery"))
assert person(known) == person(user), known

event = create_event.sync(client=client, body=NewEvent(
    organizer_id=user.id, title="Opening night", description="One place only.", capacity=1,
    starts_at=start, ends_at=start + datetime.timedelta(hours=2)))
assert event.tickets_sold == 0 and event.starts_at == start, event
assert event in list_events.sync(client=client, q="OPENING", available=True, limit=10, from_=start)

# With a token user_id may be left out; the cookie of the sign-up, which client keeps, is one too.
ada = AuthenticatedClient(base_url=sys.argv[2], token=user.token)
seat = register.sync(id=event.id, client=ada, body=NewRegistration(), idempotency_key="seat")
assert (seat.event_id, seat.user_id) == (event.id, user.id), seat
assert put_registration.sync_detailed(id=event.id, user_id=user.id, client=client).status_code == 200
assert read_registration.sync(id=event.id, user_id=user.id, client=client) == seat
assert list_registrations.sync(id=event.id, client=client) == [user.id]
assert read_event.sync(id=event.id, client=client).tickets_sold == 1

twice = register.sync(id=event.id, client=client, body=NewRegistration(user_id=user.id))
assert isinstance(twice, Problem) and (twice.status, twice.code) == (400, "already_registered"), twice
other = register.sync(id=event.id, client=ada, body=NewRegistration(user_id=event.id))
assert isinstance(other, Problem) and (other.status, other.code) == (403, "forbidden"), other
late = register.sync(id=event.id, client=Client(base_url=sys.argv[2]), body=NewRegistration(user_id=event.id))
assert isinstance(late, Problem) and (late.status, late.code) == (409, "sold_out"), late
print("registered a user, an event and a seat")
