package relay

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"bluerelay/wire"
)

func addUploads(t testing.TB, j *journal, at time.Time, ids ...fileID) {
	t.Helper()
	err := j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error {
		for _, id := range ids {
			if err := addUpload(ctx, tx, id, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// uploadsIn shows the journal's uploads as "attachment state tries", in order.
func uploadsIn(t testing.TB, j *journal) (list []string) {
	t.Helper()
	all, err := j.queryUploads(t.Context(), "1 ORDER BY attachment, message")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all {
		list = append(list, fmt.Sprintf("%s %s %d", u.attachment, u.state, u.tries))
	}
	return list
}

func TestUploadsInTheJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	ctx := t.Context()
	one, two := fileID{"M", "A"}, fileID{"M", "B"}
	addUploads(t, j, noon, one, two)
	waiting, err := j.uploads(ctx, uploadWaiting)
	if err != nil || len(waiting) != 2 || !waiting[0].createdAt.Equal(noon) {
		t.Fatalf("%+v, %v", waiting, err)
	}
	first := waiting[0]
	first.state, first.tries, first.nextAt = uploadReady, 3, noon.Add(time.Hour)
	if err := j.saveUploads(ctx, first); err != nil {
		t.Fatal(err)
	}
	addUploads(t, j, noon.Add(time.Minute), one) // the message is read again
	j.close()
	j = reopen(t, dir)
	if got := fmt.Sprint(uploadsIn(t, j)); got != "[A ready 3 B waiting 0]" {
		t.Fatal(got)
	}
	if err := j.hurryUploads(ctx, noon); err != nil {
		t.Fatal(err)
	}
	open, err := j.openUploads(ctx, 10)
	if err != nil || len(open) != 1 || !open[0].nextAt.Equal(noon) || open[0].fileID != one {
		t.Fatalf("%+v, %v", open, err)
	}
	open[0].state = uploadStored
	if err := j.saveUploads(ctx, open[0]); err != nil {
		t.Fatal(err)
	}
	for _, before := range []time.Time{noon, noon.Add(time.Second)} {
		if err := j.forgetUploads(ctx, before); err != nil {
			t.Fatal(err)
		}
		want := "[A stored 3 B waiting 0]"
		if before.After(noon) {
			want = "[B waiting 0]"
		}
		if got := fmt.Sprint(uploadsIn(t, j)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, same := range []bool{true, false} {
		if err := j.renew(ctx, "", same, nil, noon); err != nil {
			t.Fatal(err)
		}
		if got := len(uploadsIn(t, j)); got != map[bool]int{true: 1, false: 0}[same] {
			t.Errorf("after another pairing of the same line (%v) %d uploads are left", same, got)
		}
	}
}

// The report that announces files and the uploads are one transaction; files that
// come later are added, and payloads of apps are no files.
func TestFilesAreAnnounced(t *testing.T) {
	t.Parallel()
	m := newMessages(t)
	j := newJournal(t)
	m.say("OLD", alice, "before", false, time.Now().Add(-time.Hour))
	o := m.look(j, Credential{Scope: ScopeAll})
	now := time.Now().Add(time.Second)
	m.say("G1", alice, "two files", false, now)
	m.attach("G1", "A1", "image.heic", "public.heic", "image/heic", 0, false)
	m.attach("G1", "A2", "Voice.caf", "com.apple.coreaudio-format", nil, 0, false)
	m.attach("G1", "A3", "x.pluginPayloadAttachment", nil, nil, 5, false)
	m.attach("G1", "A4", "preview", nil, nil, 5, true)
	scan(t, o)
	list := reportsOf(t, j)
	if len(list) != 1 || list[0].Inbound == nil {
		t.Fatalf("%+v", list)
	}
	want := []wire.Media{{ID: "A1", Name: "image.heic", MIME: "image/heic", Size: 10}, {ID: "A2", Name: "Voice.caf", MIME: "audio/x-caf", Size: 10}}
	if got := list[0].Inbound.Media; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := fmt.Sprint(uploadsIn(t, j)); got != "[A1 waiting 0 A2 waiting 0]" {
		t.Error(got)
	}

	m.say("G2", alice, "a file comes later", false, now)
	scan(t, o)
	m.attach("G2", "A5", "late.jpg", "public.jpeg", "image/jpeg", 0, false)
	scan(t, o)
	if got := fmt.Sprint(uploadsIn(t, j)); got != "[A1 waiting 0 A2 waiting 0 A5 waiting 0]" {
		t.Error(got)
	}
}

// attach adds an attachment of ten bytes to a message.
func (m *messages) attach(message, guid, name string, uti, mime any, state int, hidden bool) {
	m.t.Helper()
	m.exec(`INSERT INTO attachment (guid, original_guid, transfer_name, uti, mime_type, transfer_state, hide_attachment, total_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, 10)`,
		guid, guid, name, uti, mime, state, hidden)
	m.exec("INSERT INTO message_attachment_join (message_id, attachment_id) SELECT m.ROWID, a.ROWID FROM message m, attachment a WHERE m.guid = ? AND a.guid = ?", message, guid)
	m.exec("UPDATE message SET cache_has_attachments = 1 WHERE guid = ?", message)
}
