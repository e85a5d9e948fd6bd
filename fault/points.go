// Package fault names the places where a program may die: before and after every
// durable write, and between a write and what follows from it. In a build with the
// tag "fault" a plan in the environment makes the process kill or stop itself there,
// which is how the torture harness (package torture) gets to places that random kills
// never meet. In an ordinary build the functions are empty and cost nothing.
//
// It refuses to do anything but to end or stop its own process: it returns no errors,
// changes no data and knows nothing of what happens at a point.
//
// All functions may be called concurrently.
package fault

import (
	"slices"
	"strings"
)

// Point is one step of the product that leaves something behind.
type Point string

// The durable steps. Each has two places, NAME.before (all is written, nothing is
// committed, synced or renamed) and NAME.after (it is on disk, and nothing that
// follows from it has happened yet).
const (
	CloudCreate   Point = "cloud.create"   // a message is stored, with its idempotency key
	CloudAssign   Point = "cloud.assign"   // messages are given to an install
	CloudCancel   Point = "cloud.cancel"   // a message is canceled, or its relay is to be asked
	CloudExpire   Point = "cloud.expire"   // messages that nobody has are expired
	CloudAdmit    Point = "cloud.admit"    // a hello is decided
	CloudApply    Point = "cloud.apply"    // a batch of reports is applied
	CloudReplace  Point = "cloud.replace"  // another Mac takes a line
	CloudFallback Point = "cloud.fallback" // a message is put back, to go by SMS

	RelayReceive Point = "relay.receive" // an order is in the journal
	RelayCancel  Point = "relay.cancel"  // an order is canceled, or barred before it has come
	RelayExpire  Point = "relay.expire"  // an order has become too old
	RelayRelease Point = "relay.release" // orders that are not begun are given back
	RelayFence   Point = "relay.fence"   // orders that are not begun are dropped, for good
	RelayArm     Point = "relay.arm"     // an attempt begins
	RelayNoSend  Point = "relay.nosend"  // an attempt has had no effect
	RelayHanded  Point = "relay.handed"  // an attempt may have had its effect
	RelayBind    Point = "relay.bind"    // a row of an own send is seen
	RelaySettle  Point = "relay.settle"  // a send without a row becomes unknown
	RelayAcked   Point = "relay.acked"   // what the cloud has committed is marked

	ShimLock   Point = "shim.lock"   // the lock of a run has its name
	ShimMark   Point = "shim.mark"   // the marker of a run is there
	ShimResult Point = "shim.result" // the result of a run is there
	ShimForget Point = "shim.forget" // the files of a run are gone

	CloudUploadBegin Point = "cloud.upload.begin" // what a file will be is written down
	CloudUploadFile  Point = "cloud.upload.file"  // a file is whole, under its name
	CloudUploadDone  Point = "cloud.upload.done"  // a file counts
	CloudMediaKept   Point = "cloud.media.kept"   // a file to send is here, and its message may go
	CloudHookDone    Point = "cloud.webhook.done" // how a post went is written down
	CloudPairToken   Point = "cloud.pair.token"   // a setup URL is made
	CloudIssue       Point = "cloud.secret.issue" // a Mac's next secret is issued
	CloudProve       Point = "cloud.secret.prove" // a Mac's former secret ends
	CloudSweepMedia  Point = "cloud.sweep.held"   // events that waited for files are told

	RelayBorn       Point = "relay.born"            // a journal is made
	RelayMark       Point = "relay.mark"            // where to read on in chat.db, without a row
	RelayPrune      Point = "relay.prune"           // what is old is forgotten
	RelayStageFile  Point = "relay.stage.file"      // a file to send is there
	RelayStaged     Point = "relay.stage.note"      // where a file to send lies
	RelayInbound    Point = "relay.inbound"         // other people's rows and the cursor
	RelayUploadNote Point = "relay.upload.note"     // how far a file has come
	RelayIntend     Point = "relay.pair.intend"     // from where a pairing reads, before the cloud is asked
	RelayRenew      Point = "relay.pair.renew"      // the journal has a new identity
	RelayCredential Point = "relay.pair.credential" // the credential is in its file
)

// The instants between durable steps. Each has one place.
const (
	CloudRelease  Point = "cloud.release"  // a Mac is to give back what it has not begun
	CloudOrder    Point = "cloud.order"    // a Send is written to the socket
	CloudWithdraw Point = "cloud.withdraw" // a Cancel is
	CloudRecall   Point = "cloud.recall"   // a Release is
	CloudAck      Point = "cloud.ack"      // an Ack is

	RelayReport Point = "relay.report" // a Report is written to the socket

	ShimStart Point = "shim.start" // the daemon has started a shim and given it its order
	ShimOrder Point = "shim.order" // the shim has its order and holds the lock
	ShimRun   Point = "shim.run"   // osascript is started
	ShimEnded Point = "shim.ended" // osascript has ended

	ShimWarm        Point = "shim.warm"          // the daemon has started a spare shim
	CloudHookPost   Point = "cloud.webhook.post" // a webhook is about to be posted
	CloudHookSent   Point = "cloud.webhook.sent" // a webhook was posted
	CloudPart       Point = "cloud.upload.part"  // a part of a file is written
	RelayUploadPut  Point = "relay.upload.put"   // a file is about to be sent
	RelayUploadEnd  Point = "relay.upload.end"   // the cloud has a file
	RelayPairSwap   Point = "relay.pair.swap"    // the cloud has paired this Mac
	RelaySecretNext Point = "relay.secret.next"  // the next secret is in the credential's file
)

// durable lists the durable steps, in the order above.
func durable() []Point {
	return []Point{
		CloudCreate, CloudAssign, CloudCancel, CloudExpire, CloudAdmit, CloudApply,
		CloudReplace, CloudFallback, RelayReceive, RelayCancel, RelayExpire, RelayRelease, RelayFence,
		RelayArm, RelayNoSend, RelayHanded, RelayBind, RelaySettle, RelayAcked, ShimLock, ShimMark,
		ShimResult, ShimForget, CloudUploadBegin, CloudUploadFile, CloudUploadDone, CloudMediaKept, CloudHookDone,
		CloudPairToken, CloudIssue, CloudProve, CloudSweepMedia, RelayBorn, RelayMark, RelayPrune, RelayStageFile, RelayStaged, RelayInbound, RelayUploadNote, RelayIntend, RelayRenew, RelayCredential,
	}
}

// instants lists the instants, in the order above.
func instants() []Point {
	return []Point{
		CloudRelease, CloudOrder, CloudWithdraw, CloudRecall, CloudAck, RelayReport, ShimStart, ShimOrder, ShimRun,
		ShimEnded, ShimWarm, CloudHookPost, CloudHookSent, CloudPart, RelayUploadPut, RelayUploadEnd,
		RelayPairSwap, RelaySecretNext,
	}
}

// All lists every point, in the order of this file.
func All() []Point { return slices.Concat(durable(), instants()) }

// Places lists the places where a plan can make a program die, two of each durable
// step and one of each instant, of the points that begin with one of the prefixes.
func Places(prefixes ...string) []string {
	var list []string
	for _, p := range durable() {
		list = append(list, string(p)+before, string(p)+after)
	}
	for _, p := range instants() {
		list = append(list, string(p))
	}
	return slices.DeleteFunc(list, func(place string) bool {
		return !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(place, prefix) })
	})
}

// What a durable step's two places add to its name.
const (
	before = ".before"
	after  = ".after"
)
