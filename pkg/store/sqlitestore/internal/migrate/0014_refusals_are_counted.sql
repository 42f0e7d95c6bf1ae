-- How often people were told in a minute that an event is sold out (store.RefusedMinute); minute is when it begins.
CREATE TABLE refusals (
  event_id BLOB NOT NULL,
  minute   INTEGER NOT NULL,
  refused  INTEGER NOT NULL,
  PRIMARY KEY (event_id, minute)
) STRICT, WITHOUT ROWID;

CREATE INDEX refusals_by_minute ON refusals (minute);
