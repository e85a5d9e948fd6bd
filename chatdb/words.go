package chatdb

import "strings"

// Words are all that a person wrote: the subject, where there is one, on a line of its
// own, and the text. Nothing is left of it in a message that was taken back.
func (m Message) Words() string {
	if m.Retracted || strings.TrimSpace(m.Subject) == "" {
		return m.Text
	}
	if m.Text == "" {
		return m.Subject
	}
	return m.Subject + "\n" + m.Text
}

// Says tells whether there is anything that somebody may have said: words or a file.
func (m Message) Says() bool {
	return m.HasBody || m.HasAttachments || strings.TrimSpace(m.Subject) != ""
}
