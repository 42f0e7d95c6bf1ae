-- What the database says of itself. database_id: a random number, made once.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;
