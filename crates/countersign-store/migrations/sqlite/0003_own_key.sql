-- Keys that this deployment itself owns: those that it signs tokens with, and those that others seal fields for. What state one
-- is in follows from these times and the time of now, so that every gateway switches at one moment without being told.
CREATE TABLE own_key (
    use TEXT NOT NULL CHECK (length(use) BETWEEN 1 AND 16),     -- what it is for: 'token', 'seal'
    id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 64),       -- the RFC 7638 thumbprint: the kid that is published
    algorithm TEXT NOT NULL,        -- as JOSE names it
    public BLOB NOT NULL,           -- SubjectPublicKeyInfo in DER
    private BLOB NOT NULL,          -- PKCS#8 in PEM, sealed
    added INTEGER NOT NULL,
    not_before INTEGER NOT NULL,    -- published from the beginning, in use from then on
    superseded INTEGER,             -- from when on its successor is in use
    not_after INTEGER,              -- until when what was made with it is taken; none before there is a successor
    revoked INTEGER,
    reason TEXT,                    -- why it was revoked
    PRIMARY KEY (use, id),
    CHECK ((superseded IS NULL) = (not_after IS NULL)),
    CHECK ((revoked IS NULL) = (reason IS NULL))
) STRICT;

-- One key of each use has no successor: two that make the first one at once make one.
CREATE UNIQUE INDEX own_key_is_last ON own_key (use) WHERE superseded IS NULL AND revoked IS NULL;

CREATE TRIGGER own_key_is_kept BEFORE DELETE ON own_key
BEGIN SELECT RAISE(ABORT, 'own keys are never deleted'); END;
CREATE TRIGGER own_key_is_itself BEFORE UPDATE OF use, id, algorithm, public, private, added ON own_key
BEGIN SELECT RAISE(ABORT, 'an own key stays what it is'); END;
CREATE TRIGGER own_key_revoked_is_final BEFORE UPDATE ON own_key WHEN OLD.revoked IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a revoked own key stays revoked'); END;

CREATE TRIGGER own_key_added AFTER INSERT ON own_key BEGIN UPDATE generation SET value = value + 1; END;
CREATE TRIGGER own_key_changed AFTER UPDATE ON own_key BEGIN UPDATE generation SET value = value + 1; END;
