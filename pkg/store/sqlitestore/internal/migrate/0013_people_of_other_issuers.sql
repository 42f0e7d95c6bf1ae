-- Who of our users it is whom another issuer has proven (store.IdentityLink). user_id is of zeros when the
-- link was taken away.
CREATE TABLE identity_links (
  id         BLOB PRIMARY KEY,
  user_id    BLOB NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX identity_links_changed ON identity_links (changed_at);
CREATE INDEX identity_links_by_user ON identity_links (user_id);
CREATE INDEX users_locked ON users (locked_at) WHERE locked_at > 0;
