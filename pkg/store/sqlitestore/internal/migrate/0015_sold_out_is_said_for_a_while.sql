-- What Decide keeps of the leases by which API processes say by themselves that an event is sold out (store.Event).
ALTER TABLE events ADD COLUMN leases_granted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN lease_ms       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN leases_ending  INTEGER NOT NULL DEFAULT 0;
