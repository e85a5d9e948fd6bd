package relay

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/mac"
	"bluerelay/wire"
)

// The checks of Messages: its database, the program, its account, the permission to
// speak to it.

// setUp is for a Mac on which nobody has ever used Messages.
const setUp = "Open Messages on this Mac and sign in with the Apple Account that is to send."

func (d *doctor) lookAtChatDB(context.Context) verdict {
	if d.agent == nil {
		// Only that it is not there can be seen without the agent's permission.
		if _, err := os.Stat(d.cfg.ChatDB); errors.Is(err, fs.ErrNotExist) {
			return fails(setUp, "there is no chat.db").in(mac.OpenMessages)
		}
		return unsure(notOurs)
	}
	err, reading := d.agent.dbState()
	switch {
	case reading || errors.Is(err, chatdb.ErrNotMessages):
		return holds("the agent reads it")
	case err == nil:
		return unsure("The agent is about to open it: ask again in a moment.")
	case errors.Is(err, chatdb.ErrMissing):
		return fails(setUp, "there is no chat.db").in(mac.OpenMessages)
	case errors.Is(err, chatdb.ErrPermission):
		return fails("Give bluerelay Full Disk Access: add it to the list and switch it on, or off and on again if it is on already.", "macOS withholds chat.db").in(mac.PaneFullDisk)
	}
	return fails(chatDBSentence(err), "it cannot be read")
}

func (d *doctor) lookAtSchema(context.Context) verdict {
	if d.agent == nil {
		return unsure(notOurs)
	}
	err, reading := d.agent.dbState()
	switch {
	case reading:
		return holds("all tables that are needed are there")
	case errors.Is(err, chatdb.ErrNotMessages):
		return fails(chatDBSentence(err), "tables of Messages are missing")
	}
	return unsure("This shows when chat.db can be read.")
}

// dbState tells whether chat.db is being read, and if not, why, as far as that is known.
func (r *Relay) dbState() (err error, reading bool) {
	r.dbMu.RLock()
	defer r.dbMu.RUnlock()
	return r.dbErr, r.db != nil
}

func (d *doctor) lookAtMessages(ctx context.Context) verdict {
	if d.agent != nil {
		for _, p := range []wire.Problem{wire.ProblemMessages, wire.ProblemStuck, wire.ProblemOsascript} {
			if reason := d.agent.health.reason(p); reason != "" {
				return fails(reason).in(mac.OpenMessages)
			}
		}
	}
	running, f := d.messagesRuns(ctx)
	switch {
	case f.state != "":
		return f
	case !running:
		return fails("Open Messages on this Mac and leave it open.", "it is not running").in(mac.OpenMessages)
	}
	return holds("it is running")
}

// messagesRuns asks macOS for this user's Messages; a verdict stands where that gives no answer.
func (d *doctor) messagesRuns(ctx context.Context) (bool, verdict) {
	if f := d.elsewhere(); f.state != "" {
		return false, f
	}
	pids, err := d.cfg.Tools.Messages(ctx)
	if err != nil {
		return false, unsure("This cannot be told here: " + err.Error() + ".")
	}
	return len(pids) > 0, verdict{}
}

// lookAtAccount goes by what rows have said: Messages itself does not tell without being
// asked in ways that change with each release.
func (d *doctor) lookAtAccount(ctx context.Context) verdict {
	if d.agent == nil {
		return unsure(notOurs)
	}
	if reason := d.agent.health.reason(wire.ProblemAccount); reason != "" {
		return fails(reason, "messages have failed for the Mac's own account").in(mac.OpenMessages)
	}
	db, done := d.agent.borrowDB()
	defer done()
	if db == nil {
		return unsure("This shows when chat.db can be read.")
	}
	mark, err := db.Mark(ctx)
	switch {
	case err != nil:
		return unsure("This shows when chat.db can be read.")
	case mark.RowID == 0:
		return unsure("Messages has never had a message on this Mac: sign in and send one by hand.").in(mac.OpenMessages)
	}
	return holds("no message has failed for want of an account")
}

// lookAtAutomation asks Messages a harmless question, by the goroutine that sends. Unless
// a person waits it asks only where Messages runs, which the question would start, and has
// never been heard: a permission that was lost with an update shows at the start.
func (d *doctor) lookAtAutomation(ctx context.Context) verdict {
	if d.agent == nil {
		return unsure(notOurs)
	}
	runs, f := d.messagesRuns(ctx)
	if f.state == "" && !runs {
		return unsure("This shows when Messages runs.")
	}
	if d.eager || f.state == "" && d.agent.heard.Load() == nil {
		if o, ok := d.agent.askMessages(ctx); ok {
			return automation(o, "asked just now")
		}
	}
	last := d.agent.heard.Load()
	if last == nil {
		return unsure("Nobody has asked Messages for anything yet: run `bluerelay doctor`.")
	}
	return automation(last.outcome, "answered "+time.Since(last.at).Round(time.Second).String()+" ago")
}

// automation is what an answer of Messages says of the permission to ask it. Whatever it
// answers but a refusal, it was asked.
func automation(o applescript.Outcome, when string) verdict {
	switch o.Reason {
	case applescript.Denied:
		return fails(o.Sentence(), "macOS refuses", when).in(mac.PaneAutomation)
	case applescript.Prompt:
		return fails(o.Sentence(), "no answer in time", when).in(mac.PaneAutomation)
	case applescript.NotRunning, applescript.TimedOut:
		return unsure("This shows when Messages runs and answers.", when)
	case applescript.Environment, applescript.CannotStart, applescript.DiskTrouble:
		return fails(o.Sentence(), strings.ReplaceAll(string(o.Reason), "_", " "), when)
	}
	return holds("Messages answers", when)
}
