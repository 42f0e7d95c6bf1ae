-- Log-ins (store.Session). ended_at: 0 while nobody has ended it. removed_at: when it is forgotten.
CREATE TABLE sessions (
  id               BLOB PRIMARY KEY,
  user_id          BLOB NOT NULL,
  password_version INTEGER NOT NULL,
  client           TEXT NOT NULL,
  created_at       INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,
  ended_at         INTEGER NOT NULL,
  removed_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at > 0;
CREATE INDEX sessions_by_removal ON sessions (removed_at);

-- Ids of people who were erased, which mean nobody any more.
CREATE TABLE erased_users (
  user_id   BLOB PRIMARY KEY,
  erased_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX erased_users_by_time ON erased_users (erased_at);

-- 0: not locked.
ALTER TABLE users ADD COLUMN locked_at INTEGER NOT NULL DEFAULT 0;

-- When it was cancelled (events have a cancelled_at): 0 while it is not, and when a version before this one has cancelled it.
ALTER TABLE registrations ADD COLUMN given_up_at INTEGER NOT NULL DEFAULT 0;

CREATE INDEX registrations_by_cancellation ON registrations (given_up_at) WHERE cancelled = 1;
