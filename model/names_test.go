package model_test

import (
	"slices"
	"strings"
	"testing"

	"bluerelay/fault"
)

// beside are the beginnings of points that are not on the way of a send.
var beside = []string{
	"relay.inbound", "relay.upload.", "relay.pair.", "relay.stage.", "relay.begin", "relay.watch",
	"relay.born", "relay.mark",
	"shim.warm", "cloud.receive", "cloud.upload.", "cloud.media.", "cloud.webhook.", "cloud.event.", "cloud.pair.",
	"cloud.line.", "cloud.key.", "cloud.sweep.", "cloud.secret.", "relay.secret.",
}

// around are the beginnings of transitions that are no steps of ours: what Messages,
// osascript, people and accidents do.
var around = []string{"messages.", "osascript.", "crash.", "daemon.", "journal.", "database."}

// TestNames holds the model to the code: each transition of ours is a fault point, and
// each fault point on the way of a send is a transition.
func TestNames(t *testing.T) {
	steps := make(map[string]bool)
	for _, one := range scenarios {
		one.faults = min(one.faults, 2) // enough for each name to be met
		w := newWalk(one.scenario)
		w.run()
		for _, name := range w.names {
			if !begins(name, around) {
				steps[name] = true
			}
		}
	}
	for _, p := range fault.All() {
		if name := string(p); !steps[name] && !begins(name, beside) {
			t.Errorf("fault point %s is neither a transition of the model nor beside the way of a send", name)
		}
		delete(steps, string(p))
	}
	for name := range steps {
		t.Errorf("transition %s is no fault point", name)
	}
}

func begins(name string, with []string) bool {
	return slices.ContainsFunc(with, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
