//go:build linux

package e2e_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// past is how many messages the databases of these benchmarks hold.
const past = 100_000

// BenchmarkIdle is what both programs take while nothing happens, for three minutes: longer
// than any of their clocks for what has to be looked at now and then. They have sent and
// received a message before.
func BenchmarkIdle(b *testing.B) {
	const quiet = 3 * time.Minute
	w := newWorld(b, 25)
	writePast(b, w.mac.ChatDB(), past)
	w.pairAgain()
	w.startRelay()
	w.relay.out.await(b, "chatdb.reading", 10*time.Second)
	w.relay.out.await(b, "link.up", 10*time.Second)
	sent := w.send("+14155551234", "before the quiet")
	eventually(b, 30*time.Second, "delivered", func() bool { return w.get(sent.ID).Status == "delivered" })
	// What follows a message is not idleness yet: its journal is put in order.
	eventually(b, 5*time.Minute, "a minute without a write", func() bool {
		for _, at := range written(b, w.state()) {
			if time.Since(at) < time.Minute {
				return false
			}
		}
		return true
	})

	for b.Loop() {
		relay, cloud := lookAt(b, w.relay), lookAt(b, w.cloud)
		files := written(b, w.state())
		time.Sleep(quiet)
		idle := lookAt(b, w.relay)
		report := func(program string, from, to usage) {
			b.ReportMetric(100*(to.processor-from.processor).Seconds()/quiet.Seconds(), program+"%-of-a-core")
			b.ReportMetric(float64(to.written-from.written), program+"bytes-written")
		}
		report("", relay, idle)
		report("cloud-", cloud, lookAt(b, w.cloud))
		b.ReportMetric(float64(idle.resident)/(1<<20), "MiB")
		b.ReportMetric(float64(idle.own)/(1<<20), "MiB-with-shim")
		b.ReportMetric(float64(idle.processes), "processes")
		for name, at := range written(b, w.state()) {
			if !at.Equal(files[name]) {
				b.Logf("%s was written while nothing happened", name)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStart is the time from the start of the daemon until it watches the database, with
// everything in memory, and with program, journal and database to be read from the disk.
func BenchmarkStart(b *testing.B) {
	w := newWorld(b, 25)
	writePast(b, w.mac.ChatDB(), past)
	w.pairAgain()
	w.startRelay()
	w.relay.out.await(b, "chatdb.reading", 10*time.Second)
	w.relay.stop(unix.SIGTERM)
	for _, c := range []struct {
		name string
		cold bool
	}{{"warm", false}, {"cold", true}} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				if c.cold {
					forget(b, bluerelay, w.state(), filepath.Dir(w.mac.ChatDB()))
				}
				began := time.Now()
				w.startRelay()
				w.relay.out.await(b, "chatdb.reading", 10*time.Second)
				took = append(took, time.Since(began))
				w.relay.stop(unix.SIGTERM)
			}
			report(b, took)
		})
	}
}

// usage is what a program has taken, with the processes that it has started.
type usage struct {
	processor time.Duration // with the children that have ended
	resident  int64         // bytes of its own process
	own       int64         // bytes of all, those that they share counted once
	written   int64         // bytes for the disk
	processes int
}

// lookAt adds up what /proc says, proc(5), of a process and those below it.
func lookAt(b *testing.B, p *process) usage {
	b.Helper()
	var u usage
	below := map[string]bool{strconv.Itoa(p.cmd.Process.Pid): true}
	for _, stat := range processes(b) {
		if !below[stat.pid] && !below[stat.parent] {
			continue
		}
		below[stat.pid] = true
		u.processes++
		u.processor += stat.processor
		u.own += figure(b, stat.pid, "smaps_rollup", "Pss:") << 10
		u.written += figure(b, stat.pid, "io", "write_bytes:")
		if u.processes == 1 {
			u.resident = figure(b, stat.pid, "status", "VmRSS:") << 10
		}
	}
	return u
}

// procStat is a line of /proc/PID/stat.
type procStat struct {
	pid, parent string
	processor   time.Duration // with the children that have ended
}

// processes are all processes of the machine, in the order of their start: a parent is before
// its children, as long as the numbers do not begin anew.
func processes(b *testing.B) []procStat {
	b.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		b.Fatal(err)
	}
	var all []procStat
	for _, e := range entries {
		line, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // no process, or it has ended meanwhile
		}
		// After the name, which is in brackets: state, parent, …
		_, rest, _ := bytes.Cut(line, []byte(") "))
		fields := strings.Fields(string(rest))
		stat := procStat{pid: e.Name(), parent: fields[1]}
		for _, ticks := range fields[11:15] {
			n, err := strconv.Atoi(ticks)
			if err != nil {
				b.Fatal(err)
			}
			stat.processor += time.Duration(n) * time.Second / 100
		}
		all = append(all, stat)
	}
	slices.SortFunc(all, func(x, y procStat) int {
		return cmp.Or(cmp.Compare(len(x.pid), len(y.pid)), cmp.Compare(x.pid, y.pid))
	})
	return all
}

// figure reads the number behind a name in a file of /proc/PID.
func figure(b *testing.B, pid, file, name string) int64 {
	b.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", pid, file))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatalf("%s of process %s has no %s", file, pid, name)
	return 0
}

// written tells when each file of a folder was last written.
func written(b *testing.B, dir string) map[string]time.Time {
	b.Helper()
	times := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil {
			times[path] = info.ModTime()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return times
}

// forget drops files and folders of files from the page cache.
func forget(b *testing.B, paths ...string) {
	b.Helper()
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			// Pages that are not on the disk yet would stay.
			return cmp.Or(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
		})
		if err != nil {
			b.Fatal(fmt.Errorf("drop %s: %w", root, err))
		}
	}
}
