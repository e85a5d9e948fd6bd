-- A schema of the project's own: the columns of macOS 12 in another order, as
-- an upgraded database has them, with columns and a table that nobody knows,
-- without most indexes, and without the tables that came later.
CREATE TABLE chat_message_join (message_id INTEGER, chat_id INTEGER, future_index INTEGER DEFAULT 7, message_date INTEGER DEFAULT 0, PRIMARY KEY (chat_id, message_id));
CREATE TABLE handle (ROWID INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, future TEXT DEFAULT 'x', service TEXT NOT NULL, id TEXT NOT NULL, UNIQUE (id, service));
CREATE TABLE chat (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, display_name TEXT, room_name TEXT, future BLOB, service_name TEXT, chat_identifier TEXT, style INTEGER, guid TEXT UNIQUE NOT NULL);
CREATE TABLE chat_handle_join (handle_id INTEGER, chat_id INTEGER, UNIQUE (chat_id, handle_id));
CREATE TABLE message_attachment_join (attachment_id INTEGER, message_id INTEGER, UNIQUE (message_id, attachment_id));
CREATE TABLE attachment (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, total_bytes INTEGER DEFAULT 0, transfer_name TEXT, mime_type TEXT, uti TEXT, filename TEXT, transfer_state INTEGER DEFAULT 0, is_outgoing INTEGER DEFAULT 0, hide_attachment INTEGER DEFAULT 0, is_sticker INTEGER DEFAULT 0, guid TEXT UNIQUE NOT NULL, future_flag INTEGER DEFAULT 1);
CREATE TABLE message (
  is_sent INTEGER DEFAULT 0, is_read INTEGER DEFAULT 0, future_first TEXT DEFAULT 'x',
  ROWID INTEGER PRIMARY KEY AUTOINCREMENT, attributedBody BLOB, text TEXT, guid TEXT UNIQUE NOT NULL,
  handle_id INTEGER DEFAULT 0, service TEXT, account TEXT, subject TEXT, error INTEGER DEFAULT 0,
  date_delivered INTEGER DEFAULT NULL, date_read INTEGER DEFAULT NULL, date INTEGER,
  is_delivered INTEGER DEFAULT 0, is_finished INTEGER DEFAULT 0, is_from_me INTEGER DEFAULT 0, is_empty INTEGER DEFAULT 0,
  is_system_message INTEGER DEFAULT 0, was_downgraded INTEGER DEFAULT 0, cache_has_attachments INTEGER DEFAULT 0,
  cache_roomnames TEXT, is_audio_message INTEGER DEFAULT 0, item_type INTEGER DEFAULT 0,
  associated_message_guid TEXT, associated_message_type INTEGER DEFAULT 0, balloon_bundle_id TEXT,
  destination_caller_id TEXT, is_spam INTEGER DEFAULT 0, sr_ck_sync_state INTEGER DEFAULT 0, future_last BLOB
);
CREATE TABLE future_table (x INTEGER);
