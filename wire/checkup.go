package wire

// Checkup is what a relay found when it looked at the preconditions of its Mac. It
// travels in a health frame, beside Health; a cloud that does not know it yet ignores it.
// It holds no message text, no number and no handle.
type Checkup struct {
	At int64 `json:"at"` // Unix ms on the Mac
	// Checks are in the order of cause and effect: the first that fails is to be mended
	// first.
	Checks []Check `json:"checks"`
}

// Check is one precondition and how the relay found it.
type Check struct {
	Name  string     `json:"name"` // snake_case, stable
	State CheckState `json:"state"`
	// Evidence are the facts behind the state, in a few words each.
	Evidence []string `json:"evidence,omitempty"`
	// Next is one sentence for a person, with the next step; empty where there is none.
	Next string `json:"next_step,omitempty"`
	// Settings is an address that opens the place in macOS where that step is made.
	Settings string `json:"settings_url,omitempty"`
}

// CheckState says whether a precondition holds.
type CheckState string

// The states. What another program cannot know of the agent, or what waits for another
// check to hold, is unknown.
const (
	CheckOK      CheckState = "ok"
	CheckWarn    CheckState = "warn" // it holds, and somebody should look at it
	CheckFail    CheckState = "fail"
	CheckUnknown CheckState = "unknown"
)

// The limits of a checkup; whoever receives one cuts it down to them. A name and what
// else is one token have MaxCheckWord bytes, a sentence MaxCheckText.
const (
	MaxChecks    = 32
	MaxEvidence  = 4 // of one check
	MaxCheckWord = 128
	MaxCheckText = 400
)

// First is the check to be mended first: the first that fails. It is nil where none does.
func (c Checkup) First() *Check {
	for i := range c.Checks {
		if c.Checks[i].State == CheckFail {
			return &c.Checks[i]
		}
	}
	return nil
}

// Holds tells whether every precondition holds. One that could not be told does not.
func (c Checkup) Holds() bool {
	for _, one := range c.Checks {
		if one.State != CheckOK && one.State != CheckWarn {
			return false
		}
	}
	return true
}
