package store_test

import (
	"slices"
	"testing"

	"bluerelay/cloud/store"
)

// Whatever signs stand between letters and digits, what they separate are words, on every
// engine.
func TestWordsAreFoundAmongSigns(t *testing.T) {
	s, _ := open(t)
	write(t, s, func(tx *store.Tx) error {
		for id, text := range map[string]string{
			"mail":  "Write to Ann.Lee@example.com, please",
			"url":   "See https://example.org/path/page.html?q=one&two=2#top",
			"phone": "Call +1 (415) 555-1234, or 415-555-9999 in the evening",
			"signs": "Bring a/b, this_other, C:\\dir\\file, 3.14, 'x%y$z' and -7",
		} {
			m := message(id)
			m.Content = text
			if err := tx.CreateMessage(&m); err != nil {
				return err
			}
		}
		return nil
	})
	for q, want := range map[string][]string{
		"ann": {"mail"}, "lee": {"mail"}, "com": {"mail"}, "ann.lee@example.com": {"mail"}, "Ann.Lee@exam": {"mail"}, "example": {"mail", "url"},
		"path": {"url"}, "page.html": {"url"}, "https://example.org/path": {"url"}, "https://example.org/path/page.html?q=one&two=2#top": {"url"}, "top": {"url"},
		"415": {"phone"}, "1234": {"phone"}, "555-1234": {"phone"}, "+1 (415) 555-1234": {"phone"}, "415.555.9999": {"phone"},
		"a/b": {"signs"}, "other": {"signs"}, "dir": {"signs"}, "file": {"signs"}, "3.14": {"signs"}, "14": {"signs"}, "y": {"signs"}, "z": {"signs"}, "7": {"signs"},
		"ample": nil, "nn.lee": nil,
	} {
		list, err := s.Messages(t.Context(), store.MessageFilter{AccountID: accountID, Text: q, Limit: 10})
		var got []string
		for _, m := range list {
			got = append(got, m.ID)
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v, %v", q, got, want, err)
		}
	}
}
