-- User tokens that count no more. A row is needed only as long as such a token could still be within its time.
CREATE TABLE token_revocation (
    kind TEXT NOT NULL CHECK (kind IN ('jti', 'user', 'site', 'partner')),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    at INTEGER NOT NULL,            -- holds for what was issued until then
    until INTEGER NOT NULL,         -- may be forgotten after
    PRIMARY KEY (kind, name)
) STRICT;

CREATE TRIGGER token_revoked AFTER INSERT ON token_revocation BEGIN UPDATE generation SET value = value + 1; END;
CREATE TRIGGER token_revoked_again AFTER UPDATE ON token_revocation BEGIN UPDATE generation SET value = value + 1; END;
CREATE TRIGGER token_revocation_forgotten AFTER DELETE ON token_revocation
BEGIN UPDATE generation SET value = value + 1; END;
