package relay

import (
	"slices"
	"testing"

	"bluerelay/wire"
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

// As rows come on a Mac: the body names a file that has no row yet, then the file's
// row comes, its join, its transfer.
func TestCase30_BodyBeforeTheFile(t *testing.T) {
	s := newStory(t)
	s.row("G", columns{"attributedBody": fileBody("at_0_G")})
	s.wants()
	s.join("G", direct)
	if r := s.last(); r.Inbound.Text != "" || len(r.Inbound.Media) != 1 || r.Inbound.Media[0].ID != "at_0_G" {
		t.Errorf("%+v", r.Inbound)
	}
	s.restart()
	s.file("G", "at_0_G", nil, 0)
	s.wants()
	s.exec("UPDATE attachment SET transfer_state = 5, filename = '~/Library/Messages/Attachments/aa/at_0_G/a.png'")
	s.wants()
	if got, want := uploadsIn(t, s.j), []string{"at_0_G waiting 0"}; !slices.Equal(got, want) {
		t.Errorf("uploads %q, want %q", got, want)
	}
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

// A file that is joined later than another one, and that no body names, is brought
// too; so is one that changes from being on its way to being there.
func TestSecondFileJoinedLater(t *testing.T) {
	s := newStory(t)
	s.message("G", "two files", nil)
	s.file("G", "at_0", nil, 0)
	s.wants("received G two files")
	s.restart()
	s.wants()
	s.file("G", "at_1", nil, 0)
	s.wants() // the message is told of once
	want := []string{"at_0 waiting 0", "at_1 waiting 0"}
	if got := uploadsIn(t, s.j); !slices.Equal(got, want) {
		t.Errorf("uploads %q, want %q", got, want)
	}
}

// The files of what the owner typed elsewhere are brought like anybody's; those of our
// own sends the cloud has.
func TestFilesThatTheOwnerSends(t *testing.T) {
	s := newStory(t)
	s.own("P", "look at this", columns{"is_sent": 1})
	s.file("P", "at_0_P", "~/Library/Messages/Attachments/aa/at_0_P/a.png", 5)
	r := s.last()
	if r.Kind != wire.Typed || len(r.Inbound.Media) != 1 || r.Inbound.Media[0].ID != "at_0_P" {
		t.Errorf("%+v", r.Inbound)
	}
	s.file("P", "at_1_P", nil, 0)
	s.sends("msg_1", "ours")
	s.own("O", "ours", columns{"is_sent": 1})
	s.file("O", "at_0_O", "~/Library/Messages/Attachments/aa/at_0_O/a.png", 5)
	s.wants("sent msg_1")
	want := []string{"at_0_P waiting 0", "at_1_P waiting 0"}
	if got := uploadsIn(t, s.j); !slices.Equal(got, want) {
		t.Errorf("uploads %q, want %q", got, want)
	}
}
