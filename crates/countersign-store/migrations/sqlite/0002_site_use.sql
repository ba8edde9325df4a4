-- When a key of the directory of trusted sites was last used: such a key has no row in partner_key. Written behind the data
-- path; not part of what a snapshot is made of.
CREATE TABLE site_use (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    at INTEGER NOT NULL
) STRICT;
