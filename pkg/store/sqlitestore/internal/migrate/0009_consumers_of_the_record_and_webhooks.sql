-- Who reads the record of changes, how far they have come, and which process acts for them: see
-- store.Consumers.
CREATE TABLE consumers (
  name        TEXT PRIMARY KEY,
  position    TEXT NOT NULL,
  owner       TEXT NOT NULL DEFAULT '',
  token       INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER NOT NULL DEFAULT 0
) STRICT;

-- settings: JSON, see store.Webhook. The other columns are what rows are found by.
CREATE TABLE webhooks (
  id         BLOB PRIMARY KEY,
  owner_id   BLOB NOT NULL,
  all_events INTEGER NOT NULL,
  active     INTEGER NOT NULL,
  next_at    INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  settings   TEXT NOT NULL
) STRICT;

CREATE INDEX webhooks_by_owner ON webhooks (owner_id, id);
CREATE INDEX webhooks_of_all_events ON webhooks (all_events, id);

-- What a webhook was told of an event: the revisions up to told, and it is to be told those up to due.
CREATE TABLE webhook_marks (
  webhook_id BLOB NOT NULL,
  event_id   BLOB NOT NULL,
  told       INTEGER NOT NULL,
  due        INTEGER NOT NULL,
  PRIMARY KEY (webhook_id, event_id)
) STRICT;

CREATE INDEX webhook_marks_due ON webhook_marks (webhook_id, event_id) WHERE told < due;
CREATE INDEX webhook_marks_by_event ON webhook_marks (event_id);

-- The last calls. call: JSON, see store.WebhookCall.
CREATE TABLE webhook_calls (
  webhook_id BLOB NOT NULL,
  number     INTEGER NOT NULL,
  call       TEXT NOT NULL,
  PRIMARY KEY (webhook_id, number)
) STRICT;
