package launchd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"howett.net/plist"
)

// Report is what is installed and how it does, for a person or a script.
type Report struct {
	Installed   bool   `json:"installed"`
	Loaded      bool   `json:"loaded"`
	Running     bool   `json:"running"`
	State       string `json:"state,omitempty"` // launchd's own word
	PID         int    `json:"pid,omitempty"`
	Runs        int    `json:"runs"`      // since it was loaded
	LastExit    *int   `json:"last_exit"` // null where no run has ended by itself
	Program     string `json:"program"`
	Version     string `json:"version,omitempty"`     // of the bundle
	Identity    string `json:"identity,omitempty"`    // who signed it
	Requirement string `json:"requirement,omitempty"` // by which macOS knows it

	NoSession string `json:"no_session,omitempty"` // why launchd can have no agent now, and what to do

	// GrantsLost says why macOS does not hold the program for the one that was given
	// permissions, and what to do; empty where it does.
	GrantsLost string  `json:"grants_lost,omitempty"`
	Changed    *Change `json:"identity_changed,omitempty"` // the last change of its identity by an install
	StateDir   string  `json:"state_dir"`
	LogDir     string  `json:"log_dir"`
}

// Report looks at the bundle, at what launchd says and at what the last install noted.
func (i Installation) Report(ctx context.Context) (Report, error) {
	r := Report{Program: i.Agent.Program, StateDir: i.Agent.StateDir, LogDir: i.Agent.LogDir}
	status, err := i.Job.Status(ctx)
	if errors.Is(err, ErrNoSession) {
		r.NoSession = err.Error()
	} else if err != nil {
		return r, err
	}
	r.Loaded, r.Running, r.State, r.PID, r.Runs, r.LastExit = status.Loaded, status.Running(), status.State, status.PID, status.Runs, status.LastExit
	if _, err := os.Stat(i.Path); err != nil {
		return r, nil
	}
	r.Installed = true
	r.Version = i.Bundle.installed()
	record, err := ReadRecord(i.Agent.StateDir)
	if err != nil {
		return r, err
	}
	r.Changed, r.Identity = record.Changed, record.Identity
	if r.Identity == "" {
		r.Identity = certificateName
	}
	r.Requirement, err = i.Bundle.Signer.Requirement(ctx, i.Bundle.Path)
	if err != nil && !errors.Is(err, ErrSigning) {
		return r, err
	}
	r.GrantsLost = lost(status, record, r.Requirement)
	return r, nil
}

// lost is the reason why permissions do not hold.
func lost(s Status, r Record, requirement string) string {
	switch {
	case requirement == "":
		return "The application's signature is gone or broken, so macOS does not know it: run `bluerelay install`."
	case s.Signature && !s.Running():
		return "macOS stops the program because it was signed anew while launchd had it: run `bluerelay restart`."
	case r.Requirement != "" && r.Requirement != requirement:
		return "The application was signed anew by something other than `bluerelay install`, so macOS takes it for another program: run `bluerelay install`."
	case strings.Contains(requirement, "cdhash"):
		return "The signature names the program's very bytes, so each update loses the permissions: run `bluerelay install`."
	}
	return ""
}

// installed is the version of the bundle at Path, "" where it cannot be read.
func (b Bundle) installed() string {
	var info struct{ CFBundleShortVersionString string }
	data, err := os.ReadFile(filepath.Join(b.Path, "Contents", "Info.plist"))
	if err != nil {
		return ""
	}
	if _, err := plist.Unmarshal(data, &info); err != nil {
		return ""
	}
	return info.CFBundleShortVersionString
}

// Advice says, where an install changed the program's identity, that and since when the
// permissions have to be given again.
func (c Change) Advice() string {
	return fmt.Sprintf("The identity of the application changed with the install of %s, so macOS takes it for another program than before: "+
		"in Full Disk Access and in Automation remove bluerelay with the minus button, add it again and turn it on.", c.At.Local().Format("2 January 2006, 15:04"))
}
