//go:build linux

package bench_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// role, set in the environment, makes the test binary one of the processes of a
// benchmark.
const role = "BENCH_ROLE"

func TestMain(m *testing.M) { os.Exit(runMain(m)) }

func runMain(m *testing.M) int {
	var err error
	switch os.Getenv(role) {
	case "":
		if databases.dir, err = os.MkdirTemp("", "bench"); err == nil {
			defer os.RemoveAll(databases.dir)
			return m.Run()
		}
	case "writer":
		var l load
		if err = json.Unmarshal([]byte(os.Args[2]), &l); err == nil {
			err = runWriter(os.Args[1], l)
		}
	case "all":
		var n int
		if _, err = fmt.Sscan(os.Args[2], &n); err == nil {
			err = runAll(os.Args[1], n)
		}
	default:
		var n int
		if _, err = fmt.Sscan(os.Args[2], &n); err == nil {
			err = runReader(os.Args[1], n, readers[os.Getenv(role)])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// BenchmarkWake is the time from a commit by another process, of 200,000 messages'
// database, until the message has been read: by chatdb, by chatdb that watches the last
// rows too, by the bare floor, and by the plain loop. They take turns on the same file.
func BenchmarkWake(b *testing.B) {
	for _, c := range []struct {
		name   string
		load   load
		rounds int
	}{
		{"pace=60ms", load{Messages: 50, Pace: 60 * time.Millisecond}, 2},
		{"pace=5ms", load{Messages: 500, Pace: 5 * time.Millisecond}, 2},
		{"join-after=5ms", load{Messages: 50, Pace: 60 * time.Millisecond, Gap: 5 * time.Millisecond, Split: true}, 2},
		{"join-after=60ms", load{Messages: 40, Pace: 100 * time.Millisecond, Gap: 60 * time.Millisecond, Split: true}, 2},
		{"at-once=1000", load{Messages: 1000, Split: true}, 3},
		{"at-once=2000", load{Messages: 2000, Split: true}, 3},
	} {
		b.Run(c.name, func(b *testing.B) {
			path := database(b, 200_000)
			var floor, plain, ours, all result
			for b.Loop() {
				for range c.rounds {
					floor.add(measure(b, path, "floor", c.load))
					ours.add(measure(b, path, "chatdb", c.load))
					all.add(measure(b, path, "watching", c.load))
					plain.add(measure(b, path, "plain", c.load))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(floor.at(0.5), "floor-p50-ms")
			b.ReportMetric(floor.at(0.99), "floor-p99-ms")
			b.ReportMetric(plain.at(0.5), "plain-p50-ms")
			b.ReportMetric(plain.at(0.99), "plain-p99-ms")
			b.ReportMetric(ours.at(0.5), "p50-ms")
			b.ReportMetric(ours.at(0.99), "p99-ms")
			b.ReportMetric(all.at(0.5), "watching-p50-ms")
			b.ReportMetric(all.at(0.99), "watching-p99-ms")
			b.ReportMetric(ours.at(0.5)/floor.at(0.5), "p50/floor")
			b.ReportMetric(ours.at(0.99)/floor.at(0.99), "p99/floor")
			b.ReportMetric(ours.at(0.5)/plain.at(0.5), "p50/plain")
			b.ReportMetric(ours.at(0.99)/plain.at(0.99), "p99/plain")
			b.ReportMetric(ours.cpu.Seconds()*1000/float64(len(ours.took)), "cpu-ms/message")
			b.ReportMetric(all.cpu.Seconds()*1000/float64(len(all.took)), "watching-cpu-ms/message")
			b.ReportMetric(floor.cpu.Seconds()*1000/float64(len(floor.took)), "floor-cpu-ms/message")
			b.ReportMetric(plain.cpu.Seconds()*1000/float64(len(plain.took)), "plain-cpu-ms/message")
			b.ReportMetric(float64(ours.memory)/(1<<20), "MiB")
			b.ReportMetric(float64(ours.lost+all.lost), "lost")
			b.ReportMetric(float64(ours.doubled+all.doubled), "doubled")
		})
	}
}

// BenchmarkIdle is what the reader takes while nothing happens.
func BenchmarkIdle(b *testing.B) {
	path := database(b, 200_000)
	const quiet = 10 * time.Second
	var r result
	for b.Loop() {
		p := startReader(b, path, "chatdb", 1)
		time.Sleep(quiet)
		r.add(p.end(b, nil))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(100*r.cpu.Seconds()/(quiet.Seconds()*float64(b.N)), "%-of-a-core")
	b.ReportMetric(float64(r.memory)/(1<<20), "MiB")
}

// result is what one reader did.
type result struct {
	took          []time.Duration
	lost, doubled int
	cpu           time.Duration
	memory        int64
}

func (r *result) add(more result) {
	r.took = append(r.took, more.took...)
	r.lost, r.doubled, r.cpu, r.memory = r.lost+more.lost, r.doubled+more.doubled, r.cpu+more.cpu, max(r.memory, more.memory)
	slices.Sort(r.took)
}

// at gives a percentile in milliseconds.
func (r *result) at(p float64) float64 {
	return float64(r.took[int(p*float64(len(r.took)-1))].Nanoseconds()) / 1e6
}

// measure runs one load against one reader.
func measure(b *testing.B, path, reader string, l load) result {
	b.Helper()
	p := startReader(b, path, reader, l.Messages)
	data, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], path, string(data))
	cmd.Env, cmd.Stderr = append(os.Environ(), role+"=writer"), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	committed := make(map[int64]int64, l.Messages)
	for l := range strings.Lines(string(out)) {
		var rowid, at int64
		if _, err := fmt.Sscan(l, &rowid, &at); err != nil {
			b.Fatal(err)
		}
		committed[rowid] = at
	}
	return p.end(b, committed)
}

// reading is a reader at work.
type reading struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startReader(b *testing.B, path, name string, messages int) *reading {
	b.Helper()
	p := &reading{cmd: exec.Command(os.Args[0], path, fmt.Sprint(messages))}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), role+"="+name), os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.in, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if !p.out.Scan() || p.out.Text() != "ready" {
		b.Fatal("the reader did not start")
	}
	return p
}

// end waits for the reader, at most some seconds after the last commit, and compares
// what it read with what was committed.
func (p *reading) end(b *testing.B, committed map[int64]int64) (r result) {
	b.Helper()
	patience := 3 * time.Second
	if committed == nil {
		patience = 0
	}
	stop := time.AfterFunc(patience, func() { p.in.Close() })
	defer stop.Stop()
	seen := make(map[int64]bool)
	for p.out.Scan() {
		var rowid, at int64
		if _, err := fmt.Sscanf(p.out.Text(), "used %d %d", &rowid, &at); err == nil {
			r.cpu, r.memory = time.Duration(rowid), at
			continue
		}
		if _, err := fmt.Sscan(p.out.Text(), &rowid, &at); err != nil {
			b.Fatal(err)
		}
		if seen[rowid] {
			r.doubled++
			continue
		}
		seen[rowid] = true
		r.took = append(r.took, time.Duration(at-committed[rowid]))
	}
	if err := p.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	r.lost = len(committed) - len(r.took)
	return r
}

var readers = map[string]readerFunc{"floor": readFloor, "plain": readPlain, "chatdb": readChatDB, "watching": readWatching}
