-- Clocks differ. A revocation also holds for what was issued by whoever did not know of it: before the registry was at this generation.
ALTER TABLE token_revocation ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
