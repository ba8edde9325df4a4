-- Users whom trusted sites have vouched for. Not part of what a snapshot is made of, so no change of it raises the generation.
CREATE TABLE site_user (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),       -- a UUID, RFC 9562
    email TEXT NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 254), -- in its one form
    registered_via TEXT NOT NULL,   -- the key whose site vouched first; it may be a file, so it need not have a row
    partner TEXT NOT NULL,          -- whose key that is
    credits_remaining INTEGER NOT NULL CHECK (credits_remaining >= 0),
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    registered INTEGER NOT NULL
) STRICT;
CREATE INDEX site_user_by_partner ON site_user (partner, email);
