-- Ids are 12-byte blobs, times are milliseconds since 1970 (UTC), 0 where there is none.

CREATE TABLE IF NOT EXISTS users (
  id                  BLOB PRIMARY KEY,
  name                TEXT NOT NULL,
  email               TEXT NOT NULL,
  email_key           TEXT NOT NULL UNIQUE,
  password_hash       TEXT NOT NULL,
  password_version    INTEGER NOT NULL,
  password_changed_at INTEGER NOT NULL,
  created_at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS users_by_password_change ON users (password_changed_at) WHERE password_changed_at > 0;

-- Columns of the same names and meaning as the fields of store.Event.
CREATE TABLE IF NOT EXISTS events (
  id                BLOB PRIMARY KEY,
  organizer_id      BLOB NOT NULL,
  title             TEXT NOT NULL,
  description       TEXT NOT NULL,
  place             TEXT NOT NULL,
  time_zone         TEXT NOT NULL,
  waitlist          INTEGER NOT NULL,
  starts_at         INTEGER NOT NULL,
  ends_at           INTEGER NOT NULL,
  opens_at          INTEGER NOT NULL,
  closes_at         INTEGER NOT NULL,
  cancelled_at      INTEGER NOT NULL,
  created_at        INTEGER NOT NULL,
  version           INTEGER NOT NULL,
  revision          INTEGER NOT NULL,
  last_edit         TEXT NOT NULL,
  capacity          INTEGER NOT NULL,
  tickets_sold      INTEGER NOT NULL,
  waiting           INTEGER NOT NULL,
  last_number       INTEGER NOT NULL,
  confirmed_through INTEGER NOT NULL,
  CHECK (tickets_sold BETWEEN 0 AND capacity),
  CHECK (waiting >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS events_by_start ON events (starts_at, id);
CREATE INDEX IF NOT EXISTS events_by_organizer ON events (organizer_id, starts_at, id);

-- One row for each user and event. The key begins with the user, so that it also finds
-- what a user holds.
CREATE TABLE IF NOT EXISTS registrations (
  user_id       BLOB NOT NULL,
  event_id      BLOB NOT NULL REFERENCES events (id),
  number        INTEGER NOT NULL,
  request_id    TEXT NOT NULL,
  registered_at INTEGER NOT NULL,
  cancelled     INTEGER NOT NULL,
  past          TEXT NOT NULL,
  PRIMARY KEY (user_id, event_id)
) STRICT, WITHOUT ROWID;

-- The roster and the waiting list: those who left are apart, so that neither grows by them,
-- and a position is counted in the index alone.
CREATE UNIQUE INDEX IF NOT EXISTS registrations_by_number ON registrations (event_id, cancelled, number);

-- The one key with which all processes over this file sign tokens.
CREATE TABLE IF NOT EXISTS signing_keys (
  slot       INTEGER PRIMARY KEY CHECK (slot = 1),
  id         TEXT NOT NULL,
  secret     BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- One row a key of idempotency: its work is under way until leased_until, or done. Digests
-- are SHA-256.
CREATE TABLE IF NOT EXISTS idempotency_keys (
  key          BLOB PRIMARY KEY,
  fingerprint  BLOB NOT NULL,
  resource     BLOB NOT NULL,
  owner        BLOB NOT NULL,
  created_at   INTEGER NOT NULL,
  leased_until INTEGER NOT NULL,
  done         INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idempotency_keys_by_end ON idempotency_keys (expires_at);
