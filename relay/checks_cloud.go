package relay

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"bluerelay/mac"
	"bluerelay/wire"
)

// The checks of the way to the cloud, all by one visit.

// unpaired is what the other checks say where there is no credential.
const unpaired = "This shows when the Mac is paired."

func (d *doctor) lookAtCloud(ctx context.Context) verdict {
	v := d.visit(ctx)
	fact := fmt.Sprintf("%s answers %d", v.server, v.status)
	if v.proxy {
		fact += " by a proxy"
	}
	switch {
	case v.away != nil:
		return unsure(unpaired)
	case v.err != nil:
		return v.unreached()
	case v.status == http.StatusProxyAuthRequired:
		return fails("The proxy of this Mac wants a login: put it into HTTPS_PROXY of the agent's environment, or go without the proxy.", fact).in(mac.PaneNetwork)
	case v.status == http.StatusBadRequest || v.status == http.StatusUnauthorized:
		return holds(fact)
	case v.status >= 500:
		return fails("The cloud is not well: look at the server and what stands before it.", fact)
	}
	return fails("What answers at this address is no bluecloud: check the address this Mac was paired with, and what stands before the server.", fact)
}

// How far the clocks may be apart. Nothing is decided by comparing them; but dates of
// messages look wrong, and certificates begin to fail.
const (
	loseClock  = 10 * time.Second
	wrongClock = 5 * time.Minute
)

func (d *doctor) lookAtClock(ctx context.Context) verdict {
	v := d.visit(ctx)
	if !v.dated {
		return unsure("This shows when the cloud answers.")
	}
	side := "behind"
	if v.skew < 0 {
		side = "ahead of"
	}
	fact := fmt.Sprintf("this Mac is %s %s the cloud", v.skew.Abs().Round(time.Second), side)
	const next = "Set this Mac's clock: switch on \"Set time and date automatically\", or do so on the server if that one is wrong."
	switch off := v.skew.Abs(); {
	case off < loseClock:
		return holds("the clocks agree")
	case off < wrongClock:
		return warns(next, fact).in(mac.PaneClock)
	}
	return fails(next, fact).in(mac.PaneClock)
}

func (d *doctor) lookAtCredential(ctx context.Context) verdict {
	v := d.visit(ctx)
	refused := v.away == nil && v.err == nil && v.status == http.StatusUnauthorized
	if d.agent != nil {
		if reason := d.agent.health.reason(wire.ProblemReleased); reason != "" {
			return fails(reason, "another Mac has this one's number")
		}
		// What the cloud says now says more, and does not depend on whether the daemon has
		// heard it too.
		if reason := d.agent.health.reason(wire.ProblemCredential); reason != "" && !refused {
			return fails(reason, "the credential is refused, or cannot be read")
		}
	}
	switch {
	case refused:
		return fails("The cloud no longer accepts this Mac: have a new setup URL made with `bluecloud line pair NUMBER`, and run `bluerelay pair` with it.", "the credential is refused")
	case v.away != nil:
		return fails(sentence(v.away), "there is no credential")
	case v.err != nil:
		return unsure("This shows when the cloud answers.")
	case v.status == http.StatusBadRequest:
		return holds("the cloud accepts it")
	}
	return unsure("This shows when the cloud answers as it should.")
}
