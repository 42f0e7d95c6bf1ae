-- Mails that are to be sent, and for a while those that were (outbox.Mail). due_at is 0 when nothing
-- more is to be done; removed_at is 0 until then.
CREATE TABLE mails (
  key        TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  user_id    BLOB NOT NULL,
  address    TEXT NOT NULL,
  language   TEXT NOT NULL,
  event_id   BLOB NOT NULL,
  revision   INTEGER NOT NULL,
  number     INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  due_at     INTEGER NOT NULL,
  attempt    INTEGER NOT NULL,
  removed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX mails_due ON mails (due_at) WHERE due_at > 0;
CREATE INDEX mails_removed ON mails (removed_at) WHERE removed_at > 0;
CREATE INDEX mails_by_user ON mails (user_id);

-- The links in mails (outbox.Token): digests only.
CREATE TABLE mail_tokens (
  hash             BLOB PRIMARY KEY,
  kind             TEXT NOT NULL,
  user_id          BLOB NOT NULL,
  address          TEXT NOT NULL,
  password_version INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX mail_tokens_by_user ON mail_tokens (user_id, kind);
CREATE INDEX mail_tokens_expire ON mail_tokens (expires_at);

-- What people want of mail (outbox.Settings).
CREATE TABLE mail_settings (
  user_id  BLOB PRIMARY KEY,
  token    TEXT NOT NULL UNIQUE,
  language TEXT NOT NULL,
  off_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
