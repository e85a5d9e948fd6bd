package chatdb_test

import (
	"testing"

	"bluerelay/chatdb"
)

func TestWords(t *testing.T) {
	for name, tt := range map[string]struct {
		m    chatdb.Message
		want string
		says bool
	}{
		"nothing":       {chatdb.Message{}, "", false},
		"a text":        {chatdb.Message{Text: "t", HasBody: true}, "t", true},
		"a subject":     {chatdb.Message{Subject: "s"}, "s", true},
		"both":          {chatdb.Message{Subject: "s", Text: "t", HasBody: true}, "s\nt", true},
		"a file":        {chatdb.Message{HasAttachments: true}, "", true},
		"blank subject": {chatdb.Message{Subject: " \n"}, "", false},
		"taken back":    {chatdb.Message{Subject: "s", Retracted: true}, "", true},
	} {
		if got := tt.m.Words(); got != tt.want || tt.m.Says() != tt.says {
			t.Errorf("%s: %q, %v", name, got, tt.m.Says())
		}
	}
}
