package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Places that were hit seldom are chosen more often, and none of another program.
func TestPlansAreBalanced(t *testing.T) {
	places := []string{"relay.arm.before", "relay.arm.after", "shim.order", "cloud.ack"}
	p := newPlanner(options{mode: modePoints, seed: 7}, places, shape{}, map[string]int{"relay.arm.before": 1000}, nil)
	chosen := make(map[string]int)
	for range 400 {
		for _, env := range p.env("relay.", "shim.") {
			plan, ok := strings.CutPrefix(env, "FAULT_PLAN=")
			if !ok {
				continue
			}
			for part := range strings.SplitSeq(plan, ",") {
				place, _, _ := strings.Cut(strings.TrimSuffix(strings.ReplaceAll(part, "@", "#"), "!stop"), "#")
				chosen[place]++
			}
		}
	}
	if chosen["cloud.ack"] > 0 || chosen["shim.order"] == 0 || chosen["relay.arm.after"] < 5*chosen["relay.arm.before"] {
		t.Errorf("chosen were %v", chosen)
	}
	p.end()
	if env := p.env("relay."); len(env) != 1 || strings.HasPrefix(env[0], "FAULT_PLAN") {
		t.Errorf("after the end there is a plan: %v", env)
	}
}

// A command whose every place was met often enough mostly gets through.
func TestPlansLetThrough(t *testing.T) {
	places := []string{"cloud.pair.token.before", "cloud.pair.token.after", "relay.arm.before", "relay.arm.after", "shim.order", "cloud.ack"}
	p := newPlanner(options{mode: modePoints, seed: 7}, places, shape{}, map[string]int{places[0]: 100, places[1]: 100}, nil)
	planned := 0
	for range 400 {
		for _, env := range p.env("cloud.pair") {
			if strings.Contains(env, "cloud.pair") {
				planned++
			}
		}
	}
	if planned == 0 || planned > 200 {
		t.Errorf("of 400 commands %d were to die", planned)
	}
}

// A line that is still being written is left for the next look.
func TestEndsAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ends.log")
	e := ends{path: path}
	if list, err := e.news(); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
	add := func(s string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	add("1 2 kill shim.run msg_abc-1\n3 4 stop relay.arm.after -\n5 6 ki")
	list, err := e.news()
	want := []end{{1, 2, false, "shim.run", "msg_abc-1"}, {3, 4, true, "relay.arm.after", "-"}}
	if err != nil || !slices.Equal(list, want) {
		t.Fatal(list, err)
	}
	add("ll shim.mark.after msg_def\n")
	if list, err = e.news(); err != nil || len(list) != 1 || list[0].subject != "msg_def" {
		t.Fatal(list, err)
	}
	var h history
	for _, one := range append(want, list...) {
		h.end(one)
	}
	if len(h.doubt) != 2 || h.doubt["msg_abc"] == "" || h.doubt["msg_def"] == "" {
		t.Errorf("in doubt are %v", h.doubt)
	}
}

// A run goes on from what former ones have met, which are not counted as its own.
func TestRunsGoOn(t *testing.T) {
	dir := t.TempDir()
	one, two, bad := filepath.Join(dir, "1"), filepath.Join(dir, "2"), filepath.Join(dir, "bad")
	for name, text := range map[string]string{one: `{"hits":{"relay.arm.before":3}}`, two: `{"hits":{"relay.arm.before":4,"cloud.ack":1}}`, bad: "{"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	total := newTally(options{}, nil)
	if err := total.recall(one + "," + two); err != nil {
		t.Fatal(err)
	}
	if total.former["relay.arm.before"] != 7 || total.former["cloud.ack"] != 1 || len(total.Hits) != 0 {
		t.Errorf("former %v, hits %v", total.former, total.Hits)
	}
	if total.recall(bad) == nil || total.recall(filepath.Join(dir, "none")) == nil {
		t.Error("a summary that cannot be read is no summary")
	}
}
