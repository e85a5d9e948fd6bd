package launchd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Installation is all that makes the daemon run on a Mac for one user: the bundle, the
// agent's property list, and launchd's knowledge of it. Each of its methods is one command
// of a person and may be interrupted at any point: what is installed is then the former
// version or the new one, whole.
type Installation struct {
	Job    Job
	Agent  Agent  // its program is the bundle's
	Path   string // of the property list, ~/Library/LaunchAgents/LABEL.plist
	Bundle Bundle

	// Say hears what is being done, for a person who waits; nil says nothing.
	Say func(string)
}

func (i Installation) say(what string) {
	if i.Say != nil {
		i.Say(what)
	}
}

// Install puts the program at binary into the bundle, has launchd start it and waits until
// it is up. Where another version was installed, it is stopped only when the new one is
// ready, kept until that is up, and put back where it does not come up. It returns what
// launchd says, and what it noted in the state folder.
func (i Installation) Install(ctx context.Context, binary string) (Status, Record, error) {
	before, err := i.prepare(ctx)
	if err != nil {
		return Status{}, before, err
	}
	unlock, err := i.Bundle.lock()
	if err != nil {
		return Status{}, before, err
	}
	defer unlock()
	i.say("Making and signing the application …")
	if err := i.Bundle.stage(ctx, binary); err != nil {
		return Status{}, before, err
	}
	requirement, err := i.Bundle.Signer.Requirement(ctx, i.Bundle.next())
	if err != nil {
		return Status{}, before, errors.Join(err, drop(i.Bundle.next()))
	}
	status, err := i.exchange(ctx)
	if err != nil {
		return status, before, err
	}
	record := before.next(i.Bundle.Signer.Name, requirement, time.Now())
	return status, record, errors.Join(record.write(i.Agent.StateDir), drop(i.Bundle.former()))
}

// prepare looks whether an install can work here, and makes the folders it needs.
func (i Installation) prepare(ctx context.Context) (Record, error) {
	if err := i.Job.CheckSession(ctx); err != nil {
		return Record{}, err
	}
	if err := i.Agent.validate(); err != nil {
		return Record{}, err
	}
	if foreign, err := isForeign(i.Agent.StateDir, isState); err != nil {
		return Record{}, err
	} else if foreign {
		return Record{}, fmt.Errorf("%s holds files of something else: give --state a folder that is empty or not there yet", i.Agent.StateDir)
	}
	if err := privateFolder(i.Agent.StateDir, isState); err != nil {
		return Record{}, err
	}
	if err := privateFolder(i.Agent.LogDir, i.Agent.isLog); err != nil {
		return Record{}, err
	}
	// Library/LaunchAgents is looked at before anything is done, not when all else is.
	if err := ownFolder(filepath.Dir(i.Path)); err != nil {
		return Record{}, fmt.Errorf("prepare the folder of launch agents: %w", err)
	}
	if info, err := os.Lstat(i.Path); err == nil {
		if err := checkFile(info, i.Path); err != nil {
			return Record{}, fmt.Errorf("prepare the launch agent: %w", err)
		}
	}
	return ReadRecord(i.Agent.StateDir)
}

// exchange stops the former version, puts the new one in its place and starts it, or puts
// the former one back.
func (i Installation) exchange(ctx context.Context) (Status, error) {
	former, err := os.ReadFile(i.Path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Status{}, fmt.Errorf("read the former launch agent: %w", err)
	}
	_, err = os.Lstat(i.Bundle.Path)
	had := err == nil && former != nil
	if had {
		i.say("Stopping the version that is installed, which finishes what it has in hand …")
	}
	swapped := false
	err = i.Job.Bootout(ctx)
	if err == nil {
		err = i.Bundle.swap()
		swapped = err == nil
	}
	if err == nil {
		err = i.Agent.Write(i.Path)
	}
	var status Status
	if err == nil {
		status, err = i.up(ctx)
	}
	if err == nil {
		return status, nil
	}
	if !swapped {
		err = errors.Join(err, drop(i.Bundle.next()))
	}
	if had {
		// Whoever has enough of waiting, or sees launchd take its time, has not asked for a
		// Mac without a relay until the next login.
		err = i.back(context.WithoutCancel(ctx), err, swapped, former)
	}
	return status, err
}

// up has launchd load the agent, and waits until its program is up.
func (i Installation) up(ctx context.Context) (Status, error) {
	i.say("Starting bluerelay …")
	if err := i.Job.Bootstrap(ctx, i.Path); err != nil {
		return Status{}, err
	}
	return i.Job.AwaitUp(ctx, 0)
}

// back puts the former version to its place and starts it again, whatever else fails. The
// result says why the new one is not there, and whether the former is.
func (i Installation) back(ctx context.Context, why error, swapped bool, agent []byte) error {
	i.say("Taking the new version back …")
	err := i.Job.Bootout(ctx)
	if swapped {
		err = errors.Join(err, i.Bundle.rollback())
	}
	if now, rerr := os.ReadFile(i.Path); rerr != nil || !bytes.Equal(now, agent) {
		err = errors.Join(err, i.Agent.write(i.Path, agent))
	}
	if _, uerr := i.up(ctx); uerr != nil {
		return fmt.Errorf("the new version was taken back, and the former one does not start either (%w): %w", errors.Join(err, uerr), why)
	}
	if err != nil {
		return fmt.Errorf("the new version could not be taken back as a whole, `bluerelay status` shows what runs (%w): %w", err, why)
	}
	return fmt.Errorf("the new version was taken back, the former one runs again: %w", why)
}

// Start loads the agent, or starts the program of a loaded one.
func (i Installation) Start(ctx context.Context) (Status, error) { return i.start(ctx, false) }

// Restart starts the program anew, and loads the agent where it is not.
func (i Installation) Restart(ctx context.Context) (Status, error) { return i.start(ctx, true) }

func (i Installation) start(ctx context.Context, again bool) (Status, error) {
	if err := i.Job.CheckSession(ctx); err != nil {
		return Status{}, err
	}
	if _, err := os.Stat(i.Path); err != nil {
		return Status{}, ErrNotInstalled
	}
	s, err := i.Job.Status(ctx)
	if err != nil {
		return s, err
	}
	former := 0
	switch {
	case !s.Loaded:
		return i.up(ctx)
	case again:
		former = s.PID
		err = i.Job.Kickstart(ctx, true)
	case !s.Running():
		err = i.Job.Kickstart(ctx, false)
	}
	if err == nil {
		s, err = i.Job.AwaitUp(ctx, former)
	}
	if errors.Is(err, ErrSignature) {
		// launchd keeps the signature of the day when the agent was loaded. Whoever has enough
		// of waiting has not asked for a Mac without a relay until the next login.
		whole := context.WithoutCancel(ctx)
		if err := i.Job.Bootout(whole); err != nil {
			return s, err
		}
		return i.up(whole)
	}
	return s, err
}

// Stop has launchd end the program and forget the agent, until the next login or Start.
func (i Installation) Stop(ctx context.Context) error {
	if i.Job.UID == 0 {
		return ErrRoot
	}
	return i.Job.Bootout(ctx)
}

// Uninstall stops the daemon and removes agent and bundle. With purge it also removes the
// state, with the credential and this Mac's own certificate, and the logs; a folder in which
// somebody has put something else stays, with that.
func (i Installation) Uninstall(ctx context.Context, purge bool) error {
	if purge {
		if err := i.CheckPurge(); err != nil {
			return err
		}
	}
	if err := i.Stop(ctx); err != nil {
		return err
	}
	unlock, err := i.Bundle.lock()
	if err != nil {
		return err
	}
	defer unlock()
	remove := []string{i.Path, i.Bundle.Path, i.Bundle.workshop()}
	if purge {
		remove = append(remove, i.Agent.logFiles()...)
	}
	for _, path := range remove {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove %s: %w", path, err)
		}
	}
	if !purge {
		return nil
	}
	_ = os.Remove(i.Agent.LogDir) // stays where somebody else has put something there
	return removeState(i.Agent.StateDir)
}

// CheckPurge refuses to remove the state of a folder that is not the daemon's alone.
func (i Installation) CheckPurge() error {
	state := i.Agent.StateDir
	if _, err := os.Stat(filepath.Join(state, recordFile)); err != nil {
		return fmt.Errorf("%s does not look like bluerelay's state folder (it has no %s): remove it by hand if it is", state, recordFile)
	}
	real, err := filepath.EvalSymlinks(state)
	if err != nil {
		return fmt.Errorf("find the state folder: %w", err)
	}
	for _, ours := range []string{i.Path, i.Bundle.Path} {
		for _, dir := range []string{state, real} {
			if rest, err := filepath.Rel(dir, ours); err != nil || filepath.IsLocal(rest) {
				return fmt.Errorf("%s holds more than bluerelay's own files: remove what is to go by hand", state)
			}
		}
	}
	return nil
}
