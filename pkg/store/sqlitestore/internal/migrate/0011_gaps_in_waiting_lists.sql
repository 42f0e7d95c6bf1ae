-- How many numbers of a block nobody waits with, of events with a waiting list (package waiting).
CREATE TABLE waiting_gaps (
  event_id BLOB NOT NULL,
  block    INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  PRIMARY KEY (event_id, block)
) STRICT, WITHOUT ROWID;
