-- What an address beyond ASCII looks like: its skeleton of UTS #39 before the @, and the domain. Two that look alike make one
-- user, also where both are registered at once. NULL for an address of ASCII, which no skeleton equals (users/email.rs).
ALTER TABLE site_user ADD COLUMN skeleton TEXT;

-- 0 for everybody, but for those who were there before anybody compared: they are kept, one beside the other.
ALTER TABLE site_user ADD COLUMN twin INTEGER NOT NULL DEFAULT 0 CHECK (twin >= 0);
CREATE UNIQUE INDEX site_user_by_skeleton ON site_user (skeleton, twin);
CREATE INDEX site_user_twin ON site_user (skeleton) WHERE twin > 0;

-- By which tables the skeletons were made. SQL can't make them: whoever registers users fills them in before (users/skeletons.rs).
CREATE TABLE skeleton_version (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    version TEXT NOT NULL
) STRICT;
