package relay

import (
	"slices"
	"testing"
)

// file joins an attachment to a message.
func (s *story) file(message, guid string, filename any, state int) {
	s.t.Helper()
	s.exec("INSERT INTO attachment (guid, original_guid, filename, transfer_state, total_bytes, transfer_name) VALUES (?, ?, ?, ?, 9, ?)", guid, guid, filename, state, guid)
	s.exec("INSERT INTO message_attachment_join (message_id, attachment_id) SELECT message.ROWID, attachment.ROWID FROM message, attachment WHERE message.guid = ? AND attachment.guid = ?", message, guid)
	s.exec("UPDATE message SET cache_has_attachments = 1 WHERE guid = ?", message)
}

// A file that takes its time is announced at once, with its message, and told of
// once; how it is brought is tested with the uploader.
func TestCase30_FileThatComesSlowly(t *testing.T) {
	s := newStory(t)
	s.message("G", "a picture", nil)
	s.file("G", "at_0_G", nil, 0)
	if r := s.last(); r.Inbound.Attachments != 1 || len(r.Inbound.Media) != 1 || r.Inbound.Media[0].ID != "at_0_G" {
		t.Errorf("%+v", r.Inbound)
	}
	s.exec("UPDATE attachment SET transfer_state = 5, filename = '~/Library/Messages/Attachments/aa/at_0_G/a.png'")
	s.wants()
}

// A preview's hidden payload is no file for people. Homes, missing files and the
// names of types are in the tests of attachments.
func TestCase32_OddFiles(t *testing.T) {
	s := newStory(t)
	s.message("G", "see", nil)
	s.file("G", "at_0_G", "~/Library/Messages/Attachments/aa/b.heic", 5)
	s.file("G", "payload", "~/Library/Messages/Attachments/aa/x.pluginPayloadAttachment", 5)
	s.exec("UPDATE attachment SET hide_attachment = 1 WHERE guid = 'payload'")
	r := s.last()
	var names []string
	for _, m := range r.Inbound.Media {
		names = append(names, m.ID)
	}
	if !slices.Equal(names, []string{"at_0_G"}) {
		t.Errorf("%q are announced", names)
	}
}
