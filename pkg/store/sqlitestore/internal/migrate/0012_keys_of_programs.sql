-- Keys of programs (store.APIKey). last_used_at, ended_at: 0 while it was not. removed_at: when it is forgotten.
CREATE TABLE api_keys (
  id           BLOB PRIMARY KEY,
  owner_id     BLOB NOT NULL,
  hash         BLOB NOT NULL,
  name         TEXT NOT NULL,
  scopes       TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  ended_at     INTEGER NOT NULL,
  changed_at   INTEGER NOT NULL,
  removed_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_by_owner ON api_keys (owner_id, id);
CREATE INDEX api_keys_by_change ON api_keys (changed_at);
CREATE INDEX api_keys_by_removal ON api_keys (removed_at);
