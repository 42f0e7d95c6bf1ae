-- One row, written where a commit is wanted for its own sake: by a probe, at the start, and
-- after a commit whose end is unknown.
CREATE TABLE fence (
  slot INTEGER PRIMARY KEY CHECK (slot = 1),
  mark BLOB NOT NULL
) STRICT;
