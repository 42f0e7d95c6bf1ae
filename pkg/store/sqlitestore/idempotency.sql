
-- One row a key: whose work is under way until leased_until, or done. Digests are SHA-256.
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

CREATE INDEX IF NOT EXISTS events_by_organizer ON events (organizer_id, starts_at, id);
