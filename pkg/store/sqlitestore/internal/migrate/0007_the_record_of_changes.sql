-- One row for each event that a batch changed. seq is the order of the commits; no number is
-- given twice. packed: see store.ChangeRecord.
CREATE TABLE changes (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id BLOB NOT NULL,
  revision INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  packed   BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX changes_by_event ON changes (event_id, revision);

-- Columns of the same names and meaning as the fields of store.Event and store.Registration.
ALTER TABLE events ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE registrations ADD COLUMN revisions TEXT NOT NULL DEFAULT '';
