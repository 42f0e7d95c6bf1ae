-- The beginnings of the words of events (store.Event.Beginnings), each list by start. A row
-- whose start is not the event's is old and leads nowhere.
CREATE TABLE event_beginnings (
  beginning TEXT NOT NULL,
  starts    INTEGER NOT NULL,
  event_id  BLOB NOT NULL,
  PRIMARY KEY (beginning, starts, event_id)
) STRICT, WITHOUT ROWID;

-- Events that take people and have places left (store.Event.IsAvailable).
CREATE INDEX available_by_start ON events (starts_at, id) WHERE tickets_sold < capacity AND cancelled_at = 0;
CREATE INDEX available_by_organizer ON events (organizer_id, starts_at, id) WHERE tickets_sold < capacity AND cancelled_at = 0;
