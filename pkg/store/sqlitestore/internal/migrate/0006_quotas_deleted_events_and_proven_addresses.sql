-- What was used of a kind in a day (store.QuotaUse); day is the midnight at which it begins.
CREATE TABLE quotas (
  subject TEXT NOT NULL,
  day     INTEGER NOT NULL,
  kind    TEXT NOT NULL,
  used    INTEGER NOT NULL,
  PRIMARY KEY (subject, day, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX quotas_by_day ON quotas (day);

-- Events that operators have deleted (store.DeletedEvent).
CREATE TABLE deleted_events (
  id            BLOB PRIMARY KEY,
  organizer_id  BLOB NOT NULL,
  registrations INTEGER NOT NULL,
  deleted_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- 0: the address is not proven.
ALTER TABLE users ADD COLUMN email_proven_at INTEGER NOT NULL DEFAULT 0;

ALTER TABLE events ADD COLUMN requires_proven_email INTEGER NOT NULL DEFAULT 0;
