package cloud

import (
	"encoding/json"
	"testing"

	"bluerelay/wire"
)

// FuzzCheckup: whatever a relay says of its Mac is kept within the limits, and what is
// kept is kept again as it is.
func FuzzCheckup(f *testing.F) {
	f.Add([]byte(`{"at":1,"checks":[{"name":"disk","state":"fail","evidence":["1 MB free"],"next_step":"Make room.","settings_url":"x"}]}`))
	f.Add([]byte(`{"checks":[{"name":"","state":"ok"},{"name":"x","state":"new"},{"name":"\u0000","state":"warn","evidence":["a","b","c","d","e"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c wire.Checkup
		if json.Unmarshal(data, &c) != nil {
			return
		}
		kept := heldDown(c)
		if len(kept.Checks) > wire.MaxChecks {
			t.Errorf("%d checks", len(kept.Checks))
		}
		for _, one := range kept.Checks {
			if one.Name == "" || len(one.Name) > wire.MaxCheckWord || len(one.Next) > wire.MaxCheckText || len(one.Settings) > wire.MaxCheckWord || len(one.Evidence) > wire.MaxEvidence {
				t.Errorf("%+v", one)
			}
		}
		once, err := json.Marshal(kept)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(heldDown(kept))
		if err != nil || string(again) != string(once) {
			t.Errorf("%s, then %s %v", once, again, err)
		}
	})
}
