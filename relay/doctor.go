package relay

import (
	"context"
	"sync"
	"time"

	"bluerelay/applescript"
	"bluerelay/wire"
)

// doctor looks at the preconditions of this Mac. In the agent it answers for the agent's
// permissions; macOS gives those to a program, not to a person, so that a doctor in a
// terminal leaves them open.
type doctor struct {
	cfg   Config
	agent *Relay // nil in a terminal
	why   error  // that there is none
	// eager says that a person waits: Messages is asked, rather than remembered.
	eager bool
	visit func(context.Context) visit // one visit to the cloud, for all checks of a look
}

// check is one precondition. Its probe ends soon after ctx.
type check struct {
	name  string
	probe func(context.Context) verdict
}

// checks are all preconditions in the order of cause and effect: what makes others fail
// comes before them.
func (d *doctor) checks() []check {
	return []check{
		{"agent", d.lookAtAgent},
		{"macos", d.lookAtVersion},
		{"login_session", d.lookAtSession},
		{"state_folder", d.lookAtState},
		{"disk", d.lookAtDisk},
		{"chat_db", d.lookAtChatDB},
		{"schema", d.lookAtSchema},
		{"messages", d.lookAtMessages},
		{"account", d.lookAtAccount},
		{"automation", d.lookAtAutomation},
		{"cloud", d.lookAtCloud},
		{"clock", d.lookAtClock},
		{"credential", d.lookAtCredential},
		{"sleep", d.lookAtSleep},
	}
}

// verdict is what a probe found.
type verdict struct {
	state    wire.CheckState
	evidence []string // short facts; no text, no number, no handle, no home folder
	next     string   // one sentence
	pane     string   // address of the place in macOS where that is done
}

func holds(evidence ...string) verdict { return verdict{state: wire.CheckOK, evidence: evidence} }

func warns(next string, evidence ...string) verdict {
	return verdict{state: wire.CheckWarn, next: next, evidence: evidence}
}

func fails(next string, evidence ...string) verdict {
	return verdict{state: wire.CheckFail, next: next, evidence: evidence}
}

// unsure is for what cannot be told now; why is a sentence.
func unsure(why string, evidence ...string) verdict {
	return verdict{state: wire.CheckUnknown, next: why, evidence: evidence}
}

func (f verdict) in(pane string) verdict {
	f.pane = pane
	return f
}

// notOurs is what a doctor in a terminal says of a permission.
const notOurs = "Permissions belong to the agent, not to Terminal: start the agent and ask again."

// lookLimit bounds one check.
const lookLimit = 20 * time.Second

// newDoctor makes the doctor of one look.
func newDoctor(cfg Config, agent *Relay, eager bool) *doctor {
	d := &doctor{cfg: cfg, agent: agent, eager: eager}
	var once sync.Once
	var found visit
	d.visit = func(ctx context.Context) visit {
		once.Do(func() { found = d.pay(ctx) })
		return found
	}
	return d
}

// look makes the checks of these names, all without any, side by side. It takes no longer
// than lookLimit.
func (d *doctor) look(ctx context.Context, names ...string) wire.Checkup {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	wanted := make(map[string]bool)
	for _, name := range names {
		wanted[name] = true
	}
	var made []check
	for _, c := range d.checks() {
		if len(names) == 0 || wanted[c.name] {
			made = append(made, c)
		}
	}
	out := wire.Checkup{At: time.Now().UnixMilli(), Checks: make([]wire.Check, len(made))}
	var looking sync.WaitGroup
	for i, c := range made {
		looking.Go(func() {
			f := c.probe(ctx)
			out.Checks[i] = wire.Check{Name: c.name, State: f.state, Evidence: f.evidence, Next: f.next, Settings: f.pane}
		})
	}
	looking.Wait()
	return out
}

// heard is the last answer that Messages gave to anything, and when.
type heard struct {
	outcome applescript.Outcome
	at      time.Time
}
