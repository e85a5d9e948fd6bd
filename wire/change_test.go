package wire_test

import (
	"testing"

	"bluerelay/wire"
)

// A report lacks nothing that its kind calls for; one of a kind that is not known
// yet is let through.
func TestReportsAreComplete(t *testing.T) {
	for report, whole := range map[string]bool{
		`{"seq":1,"kind":"edited","guid":"g","change":{"version":1,"text":"x"}}`:  true,
		`{"seq":1,"kind":"edited","guid":"g"}`:                                    false,
		`{"seq":1,"kind":"edited","change":{"version":1}}`:                        false,
		`{"seq":1,"kind":"unsent","guid":"g","change":{"whole":true}}`:            true,
		`{"seq":1,"kind":"tapback","guid":"g","tapback":{"target":"t"}}`:          true,
		`{"seq":1,"kind":"tapback","guid":"g"}`:                                   false,
		`{"seq":1,"kind":"group","guid":"g","group":{"chat":"c","event":"left"}}`: true,
		`{"seq":1,"kind":"group","guid":"g"}`:                                     false,
		`{"seq":1,"kind":"alarm","fault":{"code":"duplicate_row"}}`:               true,
		`{"seq":1,"kind":"alarm"}`:                                                false,
		`{"seq":1,"kind":"typed","inbound":{"guid":"g"}}`:                         true,
		`{"seq":1,"kind":"joined"}`:                                               false,
		`{"seq":1,"kind":"delivered","guid":"g"}`:                                 true,
		`{"seq":1,"kind":"delivered"}`:                                            false,
		`{"seq":1,"kind":"invented","guid":"g"}`:                                  true,
	} {
		f, err := wire.Decode([]byte(`{"t":"report","report":` + report + `}`))
		if (err == nil) != whole {
			t.Errorf("%s: %v", report, err)
		}
		if err == nil && f.Report.Kind != "delivered" && f.Report.Kind != "invented" && f.Report.Kind.Status() != "" {
			t.Errorf("%s is about the state of one of our messages", report)
		}
	}
}
