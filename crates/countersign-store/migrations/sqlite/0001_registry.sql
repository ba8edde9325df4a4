-- Partners, their keys, and what happened to them. Times are milliseconds since 1970-01-01T00:00:00Z.
-- Forward only: this file is checksummed, a change is a new file.

-- Counts every change of partner and partner_key, by triggers, so that no writer can forget it.
CREATE TABLE generation (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO generation (one, value) VALUES (1, 1);

CREATE TABLE partner (
    name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    added INTEGER NOT NULL
) STRICT;

-- Whose an id is. The foreign key from partner_key makes "(scheme, id) belongs to one partner" a rule of the database.
CREATE TABLE key_id (
    scheme TEXT NOT NULL,
    id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 256),
    partner TEXT NOT NULL REFERENCES partner (name),
    PRIMARY KEY (scheme, id),
    UNIQUE (scheme, id, partner)
) STRICT;

CREATE TABLE partner_key (
    scheme TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
    partner TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'retired', 'revoked')),
    not_before INTEGER,
    not_after INTEGER,
    form TEXT,                      -- app-hmac only: "layout unit nonce-form"
    symmetric INTEGER NOT NULL CHECK (symmetric IN (0, 1)),
    material BLOB NOT NULL,         -- SubjectPublicKeyInfo in DER, or a sealed secret
    fingerprint BLOB NOT NULL,      -- SHA-256 of the public key; of a secret, an HMAC under the sealing key
    shared INTEGER NOT NULL CHECK (shared IN (0, 1)),
    added INTEGER NOT NULL,
    ended INTEGER,                  -- when it was retired or revoked
    reason TEXT,                    -- why it was revoked
    PRIMARY KEY (scheme, id, version),
    FOREIGN KEY (scheme, id, partner) REFERENCES key_id (scheme, id, partner)
) STRICT;
CREATE INDEX partner_key_by_partner ON partner_key (partner);
CREATE INDEX partner_key_by_fingerprint ON partner_key (fingerprint);

-- Written behind the data path; not part of what a snapshot is made of.
CREATE TABLE last_use (
    scheme TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scheme, id, version),
    FOREIGN KEY (scheme, id, version) REFERENCES partner_key (scheme, id, version)
) STRICT;

-- What will become the key log: appended in the transaction that makes the change, never touched again.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL            -- a JSON object
) STRICT;

CREATE TRIGGER event_is_kept BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TRIGGER event_is_final BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;

CREATE TRIGGER key_is_kept BEFORE DELETE ON partner_key
BEGIN SELECT RAISE(ABORT, 'keys are never deleted'); END;
CREATE TRIGGER revoked_is_final BEFORE UPDATE ON partner_key WHEN OLD.state = 'revoked'
BEGIN SELECT RAISE(ABORT, 'a revoked key stays revoked'); END;

CREATE TRIGGER partner_added AFTER INSERT ON partner BEGIN UPDATE generation SET value = value + 1; END;
CREATE TRIGGER partner_changed AFTER UPDATE ON partner BEGIN UPDATE generation SET value = value + 1; END;
CREATE TRIGGER partner_removed AFTER DELETE ON partner BEGIN UPDATE generation SET value = value + 1; END;
CREATE TRIGGER key_added AFTER INSERT ON partner_key BEGIN UPDATE generation SET value = value + 1; END;
CREATE TRIGGER key_changed AFTER UPDATE ON partner_key BEGIN UPDATE generation SET value = value + 1; END;
