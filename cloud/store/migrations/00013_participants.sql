-- +goose Up
-- Who is known to be in a group, as far as it shows: who has written or reacted in it, and
-- of whom Messages has said that he came or went. Kept, because every message of a group
-- tells it.
CREATE TABLE group_members (
	line_id   TEXT NOT NULL REFERENCES lines (id),
	chat_guid TEXT NOT NULL,
	address   TEXT NOT NULL,   -- handle
	in_at     BIGINT NOT NULL, -- when he was last known to be in it, 0 for never
	out_at    BIGINT NOT NULL, -- when he was last known to have left, 0 for never
	PRIMARY KEY (line_id, chat_guid, address)
);
INSERT INTO group_members (line_id, chat_guid, address, in_at, out_at)
	SELECT line_id, chat_guid, address, MAX(in_at), MAX(out_at) FROM (
		SELECT line_id, peer AS chat_guid, from_addr AS address, dated_at AS in_at, 0 AS out_at FROM messages WHERE direction = 'inbound' AND peer <> from_addr
		UNION ALL SELECT line_id, chat_guid, who, CASE kind WHEN 'left' THEN 0 ELSE made_at END, CASE kind WHEN 'left' THEN made_at ELSE 0 END FROM group_changes
		UNION ALL SELECT line_id, chat_guid, other, CASE kind WHEN 'joined' THEN made_at ELSE 0 END, CASE kind WHEN 'joined' THEN 0 ELSE made_at END FROM group_changes
			WHERE kind IN ('joined', 'removed')
	) AS known WHERE address <> '' GROUP BY line_id, chat_guid, address;
