-- Who has no skeleton and is beyond ASCII: registered by a gateway of a version before skeletons, which may go on for a while beside one
-- that has them. Few or none, and looked for at each start, so that a million users of ASCII cost nothing then (users/skeletons.rs).
CREATE INDEX site_user_uncompared ON site_user (email) WHERE skeleton IS NULL AND email GLOB '*[^ -~]*';
