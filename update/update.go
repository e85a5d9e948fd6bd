package update

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Place is where the program is put: on a Mac the signed bundle that launchd starts.
type Place struct {
	// Replace puts the program at a path in the place of the present one, in one step, and
	// keeps that.
	Replace func(ctx context.Context, program, version string) error
	// Rollback puts the kept one back, in one step. The error is ErrNoFormer where none is kept.
	Rollback func() error
	// Keep lets the kept one go.
	Keep func() error
}

// Updater brings one installed program to newer versions. Whichever of its processes is
// killed at whichever point, the place holds the former program or the new one, whole, and
// the next start of the daemon goes on from there.
type Updater struct {
	Source   Source
	Dir      string // the daemon's state folder
	Version  string // of the program that is installed
	Platform string // GOOS/GOARCH
	MacOS    string // version of macOS, such as 14.5; "" on other systems
	// Arguments are those of the daemon. A new program that does not understand them is
	// refused: it would end before it could be found out.
	Arguments []string
	Place     Place
}

// Offer is a version that could be installed.
type Offer struct {
	Version Version
	File    File
}

var (
	// ErrCurrent says that there is nothing newer.
	ErrCurrent = errors.New("this is the newest version")
	// ErrOlder says that somebody offers what is behind.
	ErrOlder = errors.New("the manifest is older than what was seen before: somebody may be bringing an old version back, and nothing was changed")
	// ErrNoFormer says that no former version is kept.
	ErrNoFormer = errors.New("no former version is kept")
)

// Check asks for the newest version. The error is ErrCurrent where there is none, or says
// why the one that is offered is not for this machine.
func (u Updater) Check(ctx context.Context) (Offer, error) {
	present, err := ParseVersion(u.Version)
	if err != nil {
		return Offer{}, fmt.Errorf("this program is version %q, not that of a release, and does not update itself", u.Version)
	}
	m, err := u.Source.Manifest(ctx)
	if err != nil {
		return Offer{}, err
	}
	offered, err := ParseVersion(m.Version)
	if err != nil {
		return Offer{}, err
	}
	s, err := ReadState(u.Dir)
	if err != nil {
		return Offer{}, err
	}
	if seen, err := ParseVersion(s.Seen); err == nil && offered.Compare(seen) < 0 {
		return Offer{}, fmt.Errorf("version %s is offered after %s: %w", offered, seen, ErrOlder)
	}
	switch order := offered.Compare(present); {
	case order < 0:
		return Offer{}, fmt.Errorf("version %s is offered to %s: %w", offered, present, ErrOlder)
	case order == 0:
		return Offer{}, ErrCurrent
	case slices.Contains(s.Refused, m.Version):
		return Offer{}, fmt.Errorf("version %s did not come up on this machine and was taken back: the next one is waited for", offered)
	}
	f, err := m.For(u.Platform)
	if err != nil {
		return Offer{}, err
	}
	if err := u.supports(f); err != nil {
		return Offer{}, err
	}
	if s.Seen != m.Version {
		err = change(u.Dir, func(s *State) error { s.Seen = m.Version; return nil })
	}
	return Offer{offered, f}, err
}

// supports tells whether this system is new enough for a program.
func (u Updater) supports(f File) error {
	if f.MinimumMacOS == "" || u.MacOS == "" {
		return nil
	}
	least, err := parseNumbers(f.MinimumMacOS)
	if err != nil {
		return err
	}
	have, err := parseNumbers(u.MacOS)
	if err != nil {
		return fmt.Errorf("which macOS this is cannot be told from %.40q", u.MacOS)
	}
	if have.Compare(least) < 0 {
		return fmt.Errorf("the newest version needs macOS %s, and this is %s: update macOS first", f.MinimumMacOS, u.MacOS)
	}
	return nil
}

// Fetch downloads and checks what was offered, and notes that it is ready: the daemon puts
// it in place when it has nothing in hand, at its end or its next start. While the installed
// version is on trial it refuses: the one that is known to work would be given up for it.
func (u Updater) Fetch(ctx context.Context, o Offer) error {
	s, err := ReadState(u.Dir)
	if err != nil {
		return err
	}
	if s.onTrial(u.Version) {
		return fmt.Errorf("version %s is still on trial, and an update would give up %s, which is kept until it has reached the cloud: try again then, or run `bluerelay install` from the version that you want", s.Trial.To, s.Trial.From)
	}
	path := filepath.Join(u.Dir, "update", "bluerelay-"+o.Version.String())
	if err := u.Source.download(ctx, o.File, path); err != nil {
		return err
	}
	if err := try(ctx, path, o.Version, u.Arguments); err != nil {
		return err
	}
	return change(u.Dir, func(s *State) error {
		s.Ready = &Ready{Version: o.Version.String(), Path: path, Size: o.File.Size, SHA256: o.File.SHA256}
		return nil
	})
}

// Settle puts in place what is ready, if anything is, and tells whether it did: the process
// should end then and be started anew. The daemon calls it when it has begun nothing, or
// begins nothing any more. After an error the present program goes on, what was ready is
// given up, and the state says when it failed. What is ready waits while the present version
// is on trial.
func (u Updater) Settle(ctx context.Context) (bool, error) {
	s, err := ReadState(u.Dir)
	if err != nil || s.Ready == nil || s.onTrial(u.Version) {
		return false, err
	}
	r := *s.Ready
	if err := u.fits(r, s); err != nil {
		return false, errors.Join(err, change(u.Dir, func(s *State) error { s.Ready = nil; return nil }), u.clear())
	}
	// On disk before the change, so that the new program knows that it is on trial.
	err = change(u.Dir, func(s *State) error {
		s.Ready, s.Trial, s.Failed = nil, &Trial{From: u.Version, To: r.Version}, nil
		return nil
	})
	if err != nil {
		return false, err
	}
	if err := u.Place.Replace(ctx, r.Path, r.Version); err != nil {
		err = fmt.Errorf("put version %s in place: %w", r.Version, err)
		return false, errors.Join(err, change(u.Dir, func(s *State) error {
			s.Trial, s.Failed = nil, &Failed{Version: r.Version, At: time.Now().UTC()}
			return nil
		}))
	}
	return true, u.clear()
}

// setTrial begins, changes or ends a trial.
func (u Updater) setTrial(t *Trial) error {
	return change(u.Dir, func(s *State) error { s.Trial = t; return nil })
}

// fits looks once more at what was downloaded some time ago.
func (u Updater) fits(r Ready, s State) error {
	next, err := ParseVersion(r.Version)
	if err != nil {
		return err
	}
	if present, err := ParseVersion(u.Version); err != nil || next.Compare(present) <= 0 || slices.Contains(s.Refused, r.Version) {
		return fmt.Errorf("version %s is no update of %s any more", r.Version, u.Version)
	}
	got, err := Describe(r.Path)
	if err != nil || got.Size != r.Size || got.SHA256 != r.SHA256 {
		return fmt.Errorf("the program of version %s has changed since it was checked: it is fetched anew", r.Version)
	}
	return nil
}

// clear removes what was downloaded.
func (u Updater) clear() error { return os.RemoveAll(filepath.Join(u.Dir, "update")) }
