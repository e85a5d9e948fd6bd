package applescript_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bluerelay/applescript"
)

// spareAge is what a shim in waiting has been started for, between two messages of a
// line that is busy.
const spareAge = 50 * time.Millisecond

// BenchmarkShim is what the shim adds to a send: the time from the decision to
// osascript's first instruction through a shim that waits for its order, beside that of
// starting osascript directly, one after the other in the same run. Lock, order and
// marker are on disk by then. The shim is the real program.
func BenchmarkShim(b *testing.B) {
	dir := b.TempDir()
	exe, osascript := filepath.Join(dir, "bluerelay"), filepath.Join(dir, "osascript")
	for _, args := range [][]string{
		{"go", "build", "-o", exe, "../cmd/bluerelay"},
		{"gcc", "-O2", "-o", osascript, "../e2e/testdata/osascript.c"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	runs := filepath.Join(dir, "runs")
	if err := os.Mkdir(runs, 0o700); err != nil {
		b.Fatal(err)
	}
	sender := &applescript.Sender{Osascript: osascript, Exe: exe, Dir: runs}
	b.Cleanup(func() { sender.Close() })
	var direct, shim []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		_ = exec.Command(osascript).Run() // it ends with 2: there is nothing that it would become
		direct = append(direct, lastStart(b, osascript).Sub(began))
		if err := sender.Warm(); err != nil {
			b.Fatal(err)
		}
		time.Sleep(spareAge)
		began = time.Now()
		if _, err := sender.Send(b.Context(), fmt.Sprintf("msg_%d", i), 1, text("hello")); err != nil {
			b.Fatal(err)
		}
		shim = append(shim, lastStart(b, osascript).Sub(began))
	}
	for name, list := range map[string][]time.Duration{"direct": direct, "shim": shim} {
		slices.Sort(list)
		b.ReportMetric(float64(list[len(list)/2].Microseconds())/1000, name+"-p50-ms")
	}
	b.ReportMetric(float64((shim[len(shim)/2]-direct[len(direct)/2]).Microseconds())/1000, "adds-p50-ms")
	b.ReportMetric(0, "ns/op")
}

// lastStart is when the program last began, by its own note.
func lastStart(b *testing.B, program string) time.Time {
	b.Helper()
	data, err := os.ReadFile(program + ".starts")
	if err != nil {
		b.Fatal(err)
	}
	all := strings.Fields(string(data))
	ns, err := strconv.ParseInt(all[len(all)-1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Unix(0, ns)
}
