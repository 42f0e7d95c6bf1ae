-- Ids are 12-byte blobs, times are milliseconds since 1970 (UTC).

CREATE TABLE IF NOT EXISTS users (
  id            BLOB PRIMARY KEY,
  name          TEXT NOT NULL,
  email         TEXT NOT NULL,
  email_key     TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
  id           BLOB PRIMARY KEY,
  organizer_id BLOB NOT NULL,
  title        TEXT NOT NULL,
  description  TEXT NOT NULL,
  capacity     INTEGER NOT NULL,
  tickets_sold INTEGER NOT NULL,
  last_number  INTEGER NOT NULL,
  starts_at    INTEGER NOT NULL,
  ends_at      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  CHECK (tickets_sold BETWEEN 0 AND capacity)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS events_by_start ON events (starts_at, id);

-- One row a seat: unique by (event, user), ordered by (event, number).
CREATE TABLE IF NOT EXISTS registrations (
  event_id      BLOB NOT NULL REFERENCES events (id),
  user_id       BLOB NOT NULL,
  number        INTEGER NOT NULL,
  request_id    TEXT NOT NULL,
  registered_at INTEGER NOT NULL,
  PRIMARY KEY (event_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX IF NOT EXISTS registrations_by_number ON registrations (event_id, number);

-- The one key with which all processes over this file sign tokens.
CREATE TABLE IF NOT EXISTS signing_keys (
  slot       INTEGER PRIMARY KEY CHECK (slot = 1),
  id         TEXT NOT NULL,
  secret     BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
