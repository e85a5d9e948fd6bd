package launchd

import (
	"context"
	"errors"
	"strings"
)

// ErrRoot says that the command runs with the rights of root.
var ErrRoot = errors.New("bluerelay runs as the user that is signed in to Messages: run this again as that user, without sudo")

// CheckSession makes sure that there is a place for the agent: the login session at the
// screen of a user who is not root. A command that was given over the network may use it
// too, where somebody is logged in at the screen.
func (j Job) CheckSession(ctx context.Context) error {
	if j.UID == 0 {
		return ErrRoot
	}
	r, err := j.run(ctx, "managername")
	if err != nil {
		return err
	}
	switch name := strings.TrimSpace(string(r.Out)); {
	case r.Code == 0 && name == "Aqua":
		return nil
	case r.Code == 0 && name == "System":
		return &Refusal{Verb: "managername", Code: -1, Kind: ErrNoSession, Next: nextNoSession}
	}
	if r, err = j.run(ctx, "print", j.domain()); err != nil || r.Code == 0 {
		return err
	}
	return &Refusal{Verb: "print", Code: r.Code, Kind: ErrNoSession, Next: nextNoSession}
}
