-- What a relay's view of macOS 26 needs beside the tables: bookkeeping tables,
-- the indexes a reader relies on, and the triggers that are plain SQL. The
-- triggers that call functions only Messages registers are left out: this
-- database never deletes.

CREATE TABLE _SqliteDatabaseProperties (key TEXT, value TEXT, UNIQUE (key));
CREATE TABLE kvtable (ROWID INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, key TEXT UNIQUE NOT NULL, value BLOB NOT NULL);
CREATE TABLE deleted_messages (ROWID INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, guid TEXT NOT NULL);
CREATE TABLE message_processing_task (ROWID INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, guid TEXT UNIQUE NOT NULL, task_flags INTEGER NOT NULL, reasons INTEGER NOT NULL);

CREATE INDEX message_idx_date ON message (date);
CREATE INDEX message_idx_handle ON message (handle_id, date);
CREATE INDEX message_idx_failed ON message (is_finished, is_from_me, error);
CREATE INDEX message_idx_is_sent_is_from_me_error ON message (is_sent, is_from_me, error);
CREATE INDEX message_idx_is_read ON message (is_read, is_from_me, is_finished);
CREATE INDEX message_idx_associated_message2 ON message (associated_message_guid) WHERE associated_message_guid IS NOT NULL;
CREATE INDEX message_idx_thread_originator_guid ON message (thread_originator_guid);
CREATE INDEX message_idx_undelivered_one_to_one_imessage
	ON message (cache_roomnames, service, is_sent, is_delivered, was_downgraded, item_type)
	WHERE cache_roomnames IS NULL AND service IN ('iMessage', 'RCS') AND is_sent = 1 AND is_delivered = 0
		AND was_downgraded = 0 AND item_type = 0 AND schedule_type = 0;
CREATE INDEX chat_message_join_idx_message_id_only ON chat_message_join (message_id);
CREATE INDEX chat_message_join_idx_message_date_id_chat_id ON chat_message_join (chat_id, message_date, message_id);
CREATE INDEX chat_handle_join_idx_handle_id ON chat_handle_join (handle_id);
CREATE INDEX message_attachment_join_idx_message_id ON message_attachment_join (message_id);
CREATE INDEX message_attachment_join_idx_attachment_id ON message_attachment_join (attachment_id);
CREATE INDEX chat_idx_chat_identifier_service_name ON chat (chat_identifier, service_name);
CREATE INDEX chat_idx_group_id ON chat (group_id);
CREATE INDEX handle_idx_id ON handle (id, rowid);

CREATE TRIGGER after_insert_on_chat_message_join AFTER INSERT ON chat_message_join
BEGIN
	UPDATE message SET cache_roomnames = (
		SELECT group_concat(room_name) FROM chat
		WHERE ROWID IN (SELECT chat_id FROM chat_message_join WHERE message_id = NEW.message_id)
	) WHERE ROWID = NEW.message_id;
END;

CREATE TRIGGER chat_service_on_insert_chat_message_join AFTER INSERT ON chat_message_join
BEGIN
	INSERT OR IGNORE INTO chat_service (service, chat)
	SELECT service, NEW.chat_id FROM message WHERE ROWID = NEW.message_id AND service IS NOT NULL;
END;

CREATE TRIGGER after_insert_on_message_attachment_join AFTER INSERT ON message_attachment_join
BEGIN
	UPDATE message SET cache_has_attachments = 1 WHERE ROWID = NEW.message_id;
END;

CREATE TRIGGER update_message_date_after_update_on_message AFTER UPDATE OF date ON message
BEGIN
	UPDATE chat_message_join SET message_date = NEW.date WHERE message_id = NEW.ROWID AND message_date <> NEW.date;
END;

CREATE TRIGGER update_last_failed_message_date AFTER UPDATE OF error ON message
WHEN NEW.error <> 0
	AND NEW.date > coalesce((SELECT value FROM kvtable WHERE key = 'lastFailedMessageDate'), 0)
BEGIN
	INSERT OR REPLACE INTO kvtable (key, value) VALUES ('lastFailedMessageDate', NEW.date);
	INSERT OR REPLACE INTO kvtable (key, value) VALUES ('lastFailedMessageRowID', NEW.ROWID);
END;
