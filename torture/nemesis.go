package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// torment does something bad again and again until loading ends. What it has begun
// then is finished: nobody leaves a Mac half paired.
func (r *round) torment(ctx, loading context.Context) {
	for r.sleep(loading, time.Duration(1+r.random.IntN(r.pace()))*time.Millisecond) {
		l := r.lines[r.random.IntN(len(r.lines))]
		if err := r.harm(ctx, l); err != nil && ctx.Err() == nil {
			r.total.fail("harness", err.Error())
			return
		}
	}
}

// pace is the longest pause between two bad things, in milliseconds.
func (r *round) pace() int {
	if r.options.mode == modePoints {
		return 300
	}
	return 30
}

// harm is one bad thing, drawn by weight.
func (r *round) harm(ctx context.Context, l *line) error {
	t := r.total
	kill, stop, cut, full, swaps := 1000, 130, 40, 10, 60
	if r.options.mode == modePoints {
		// Now and then, so that nobody waits long for a place that never comes. Who stands
		// still, hears nothing or is replaced comes to no place.
		kill, stop, cut, full, swaps = 60, 40, 10, 2, 25
	}
	alive := kill // who is killed all the time never comes to what is seldom
	if r.shape.calm {
		alive /= 5
	}
	if r.shape.swaps {
		swaps = 200
	}
	deeds := []struct {
		weight int
		do     func() error
	}{
		{alive * 24 / 100, func() error { return r.killed(l.current().daemon.signal(syscall.SIGKILL), &t.Kills.Relay) }},
		{alive * 4 / 100, func() error { return r.killRetired(l) }},
		{alive * 8 / 100, func() error { return r.killed(r.cloud.signal(syscall.SIGKILL), &t.Kills.Cloud) }},
		{kill * 4 / 100, func() error { return r.killed(l.mac.messages.signal(syscall.SIGKILL), &t.Kills.Messages) }},
		{kill * 30 / 100, func() error { return r.killRun(isShim, &t.Kills.Shim) }},
		{kill * 30 / 100, func() error { return r.killRun(isOsascript, &t.Kills.Osascript) }},
		{stop, func() error { return r.stopOne(l) }},
		{cut, func() error { return r.cutLink() }},
		{swaps, func() error { return r.changeMac(ctx, l) }},
		{full, func() error { return r.fillDisk(l) }},
		{6, func() error { t.count(&t.Replaced, 1); return l.mac.replaceDB(ctx, r.random.IntN(2) == 0) }},
	}
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	n := r.random.IntN(total)
	for _, d := range deeds {
		if n -= d.weight; n < 0 {
			return d.do()
		}
	}
	return nil
}

func (r *round) killed(pid int, counter *int) error {
	if pid != 0 {
		r.total.count(counter, 1)
	}
	return nil
}

func (r *round) killRetired(l *line) error {
	all := l.processes()
	return r.killed(all[len(all)-1].daemon.signal(syscall.SIGKILL), &r.total.Kills.Relay)
}

// runningOne is a process that belongs to one send: a shim or an osascript. Its third
// descriptor is the run's lock, whose name says which message it is.
type runningOne struct {
	pid  int
	lock string
}

func isShim(args []string) bool { return len(args) == 2 && args[1] == "__osascript" }

func isOsascript(args []string) bool { return filepath.Base(args[0]) == "osascript" }

// running finds such processes of this round.
func (r *round) running(is func(args []string) bool) []runningOne {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // none but on Linux
	var list []runningOne
	for _, dir := range dirs {
		data, err := os.ReadFile(dir + "/cmdline")
		args := strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
		if err != nil || len(data) == 0 || !is(args) {
			continue
		}
		lock, err := os.Readlink(dir + "/fd/3")
		if err != nil || !strings.HasPrefix(lock, r.dir) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil {
			list = append(list, runningOne{pid, lock})
		}
	}
	return list
}

// killRun kills one process of a send, if there is any.
func (r *round) killRun(is func([]string) bool, counter *int) error {
	list := r.running(is)
	if len(list) == 0 {
		return nil
	}
	one := list[r.random.IntN(len(list))]
	// It stands still while its lock's name is read: a spare shim gets another one with
	// its order.
	if syscall.Kill(one.pid, syscall.SIGSTOP) != nil {
		return nil
	}
	dir := fmt.Sprintf("/proc/%d", one.pid)
	for range 20 {
		if data, err := os.ReadFile(dir + "/stat"); err != nil || bytes.Contains(data, []byte(") T ")) {
			break
		}
		time.Sleep(100 * time.Microsecond)
	}
	if lock, err := os.Readlink(dir + "/fd/3"); err == nil {
		r.history.brokenOff(filepath.Base(lock), "killed")
	}
	if syscall.Kill(one.pid, syscall.SIGKILL) == nil {
		r.total.count(counter, 1)
	}
	return nil
}

// stopOne lets a process stand still for a while.
func (r *round) stopOne(l *line) error {
	var pid int
	switch r.random.IntN(6) {
	case 0:
		pid = r.cloud.signal(syscall.SIGSTOP)
	case 1:
		pid = l.mac.messages.signal(syscall.SIGSTOP)
	case 2, 3:
		pid = l.current().daemon.signal(syscall.SIGSTOP)
	default:
		list := append(r.running(isShim), r.running(isOsascript)...)
		if len(list) == 0 {
			return nil
		}
		pid = list[r.random.IntN(len(list))].pid
		_ = syscall.Kill(pid, syscall.SIGSTOP) // it may have ended
	}
	if pid == 0 {
		return nil
	}
	r.total.count(&r.total.Pauses, 1)
	d := 50 + r.random.IntN(400)
	if r.random.IntN(12) == 0 {
		d += r.random.IntN(3500)
	}
	r.later(time.Duration(d)*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	return nil
}

// cutLink ends the connections to the cloud, at once or after a time in which one or
// both directions say nothing.
func (r *round) cutLink() error {
	r.total.count(&r.total.Cuts, 1)
	directions := [][]int{{up}, {down}, {up, down}}[r.random.IntN(3)]
	if r.random.IntN(2) == 0 {
		r.proxy.cut()
		return nil
	}
	d := time.Duration(100+r.random.IntN(1200)) * time.Millisecond
	r.work.Go(func() { r.proxy.hole(directions, d) })
	return nil
}

// changes are what becomes of a Mac, each as often as it stands here. A journal is lost
// seldom, because what comes in around that is excused.
var changes = []string{
	whatSwap, whatSwap, whatSwap, whatSwap, whatSwap, whatSwap, whatRepair, whatRepair, whatRepair,
	whatRestore, whatRestore, whatRestore, whatRestore, whatRestore, whatForget,
}

// changeMac swaps the Mac, pairs it anew, brings an old journal back or loses it.
func (r *round) changeMac(ctx context.Context, l *line) error {
	if !l.changing.TryLock() {
		return nil
	}
	began := time.Now()
	r.arrange(l)
	deed, wait := changes[r.random.IntN(len(changes))], time.Duration(20+r.random.IntN(300))*time.Millisecond
	if r.shape.old {
		deed = whatRestore
	}
	if deed == whatSwap && l.crowded() {
		deed = whatRepair
	}
	// Beside all the rest: who changes a Mac is killed and cut off like anybody else.
	r.work.Go(func() {
		defer l.changing.Unlock()
		var err error
		switch deed {
		case whatSwap:
			err = l.swap(ctx)
		case whatRepair:
			err = l.repair(ctx)
		case whatRestore:
			err = l.restore(ctx, wait)
		case whatForget:
			err = l.forget(ctx)
		}
		r.history.during(deed, l.number, began)
		switch {
		case err != nil && ctx.Err() == nil:
			r.total.fail("harness", fmt.Sprintf("%s of %s: %v", deed, l.number, err))
		case deed == whatSwap || deed == whatRepair:
			r.total.count(&r.total.Swaps, 1)
		default:
			r.total.count(&r.total.Restores, 1)
		}
	})
	return nil
}

// arrange sees to it that somebody dies at one of the places that only a change of the
// Mac leads to.
func (r *round) arrange(l *line) {
	place := r.planner.want("cloud.release", "cloud.recall", "cloud.replace", "cloud.pair", "relay.release", "relay.fence", "relay.pair", "relay.born")
	switch {
	case place == "" || strings.HasPrefix(place, "cloud.pair") || strings.HasPrefix(place, "relay.pair") || strings.HasPrefix(place, "relay.born"):
	case strings.HasPrefix(place, "cloud."):
		_ = r.killed(r.cloud.signal(syscall.SIGKILL), &r.total.Kills.Cloud)
	default:
		_ = r.killed(l.current().daemon.signal(syscall.SIGKILL), &r.total.Kills.Relay)
	}
}

// fillDisk leaves the cloud or a Mac's relays without room for a moment.
func (r *round) fillDisk(l *line) error {
	d, line := l.disk, l.number
	if r.random.IntN(2) == 0 {
		d, line = r.disk, ""
	}
	began := time.Now()
	if !d.fill() {
		return nil
	}
	r.total.count(&r.total.FullDisks, 1)
	r.later(time.Duration(50+r.random.IntN(500))*time.Millisecond, func() {
		if err := d.empty(); err != nil {
			r.total.fail("harness", err.Error())
		}
		r.history.during(whatFull, line, began)
	})
	return nil
}
