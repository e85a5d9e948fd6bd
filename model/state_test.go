package model_test

// The bounds of the model. Two messages are equal texts to one person.
const (
	messages    = 2
	attempts    = 3 // the third that has no effect is the last
	maxRows     = 4
	maxUntold   = 16
	macs        = 2
	noMessage   = 255
	firstMac    = 0
	secondMac   = 1
	installA    = 1 // of the first Mac
	installA2   = 2 // of the first Mac, after its journal was deleted
	installB    = 3 // of the second Mac
	installs    = 4 // 0 is none
	frameMaxBit = installs * messages * attempts
)

// status is what the cloud says of a message. Delivered and read are left out: they
// follow the row as sent does.
type status uint8

const (
	absent status = iota // not created yet
	queued
	accepted
	sending
	sent
	failed
	unknown
	canceled
	expired
)

func (s status) begun() bool { return s == queued || s == accepted || s == sending }
func (s status) ended() bool { return s > sending }

// message is one row of the cloud's table, and what the model knows beyond it.
type message struct {
	status  status
	install uint8 // 0 while no install is responsible
	attempt uint8
	asked   bool  // cancel requested
	bySMS   bool  // put back to be sent by SMS
	row     uint8 // 1 + the row it is bound to, 0 for none

	effects uint8 // how often it left a Mac: the truth
	blurred bool  // something was injected that nobody can see through
	erased  bool  // a journal that knew it is gone
}

// install is what the cloud knows of a journal.
type install struct {
	known   bool
	retired bool
}

// kind is what a report says.
type kind uint8

const (
	noReport kind = iota
	tellAccepted
	tellSending
	tellNoSendAgain
	tellNoSendFinal
	tellCanceled
	tellExpired
	tellReleased
	tellUnknown
	tellSent
	tellFailed
)

// report is one entry of an outbox, packed: states are many.
type report uint16

// tell makes a report; row is 1 + the row of tellSent and tellFailed, else 0.
func tell(k kind, message, attempt, row uint8) report {
	return report(k) | report(message)<<4 | report(attempt)<<5 | report(row)<<8
}

func (r report) kind() kind     { return kind(r & 15) }
func (r report) message() uint8 { return uint8(r >> 4 & 1) }
func (r report) attempt() uint8 { return uint8(r >> 5 & 7) }
func (r report) row() uint8     { return uint8(r >> 8) }

// step is how far a relay's journal is with a message.
type step uint8

const (
	nowhere step = iota
	received
	armed
	pending // a row is bound that says nothing yet
	handed
	observed // a good row is bound
	rejected // a row that Messages marks as failed is bound
	settled  // unknown
	silent   // unknown too: the row that is bound has said nothing for long
	noSendAgain
	noSendFinal
	noSendCanceled
	noSendExpired
	noSendReleased
)

func (s step) noSend() bool     { return s >= noSendAgain }
func (s step) unresolved() bool { return s == armed || s == handed || s == settled }

// send is one message in a journal.
type send struct {
	step    step
	attempt uint8
	mark    uint8 // how many rows there were when it was armed
	row     uint8 // 1 + the row that is bound, 0 for none
}

// journal is a relay's memory on disk. Of its outbox only what the cloud has not
// committed is kept: numbers matter only by comparison.
type journal struct {
	install   uint8
	fenced    bool  // begins nothing any more
	behind    uint8 // how many reports the cloud has committed that are not this journal's
	told      uint8
	catchesUp bool // a broken rule: numbers alone tell an old copy
	sends     [messages]send
	untold    [maxUntold]report
}

// shim is how far the process beside osascript is.
type shim uint8

const (
	noShim shim = iota
	started
	ordered // has its whole order
)

// script is how far osascript is.
type script uint8

const (
	noScript script = iota
	running
	dispatched // has printed the marker that comes before the send
	refused    // ended before that marker
	over       // ended after it, whatever it said
)

// result is what the shim left behind.
type result uint8

const (
	noResult result = iota
	noEffect
	mayHave
)

// run is one attempt at one message on one Mac: its processes and its files.
type run struct {
	shim   shim
	script script
	result result
	marker bool
	event  bool // Messages has it and has not acted on it
	heard  bool // the relay knows that the cloud has committed the report of its arming
}

// session is what a relay has of the cloud.
type session uint8

const (
	offline session = iota
	serving
	retired // may report facts
	denied  // was told that it is not wanted any more
)

// hand is what the sender does between arming and the shim's start. It is gone with the
// daemon.
type hand struct {
	message uint8 // noMessage for none
	locked  bool
}

// mac is one Mac.
type mac struct {
	up       bool
	session  session
	hand     hand
	greeted  bool // was welcomed since the daemon started
	released bool
	written  uint8                    // of the untold reports, those in the socket
	acks     [messages][attempts]bool // in the socket: whose arming the cloud has committed
	journal  journal
	runs     [messages][attempts]run
}

// row is one row of chat.db.
type row struct {
	message uint8
	attempt uint8
	failed  bool
	silent  bool // neither sent nor failed, so far
	gone    bool // deleted before it was either
}

// news tells whether a row that is bound says another thing than the journal has.
func (r row) news(has step) bool {
	switch {
	case r.silent:
		return false
	case r.failed:
		return has == pending || has == silent
	}
	return has != observed
}

// frames is a set of (install, message, attempt). Frames are written to a connection,
// and a connection belongs to the install of its hello.
type frames uint32

func frame(install, message, attempt uint8) frames {
	return 1 << ((install*messages+message)*attempts + attempt - 1)
}

// state is one moment of everything.
type state struct {
	faults    uint8 // that have happened
	owner     uint8 // the Mac that the line has
	replaced  bool
	releasing bool
	recalled  bool // the release was written to the first Mac's socket
	copied    bool
	restored  bool // the cloud's database was
	rowCount  uint8
	rows      [maxRows]row
	messages  [messages]message
	installs  [installs]install
	orders    frames
	cancels   frames
	macs      [macs]mac
	copy      journal // of the first Mac, older than what it has
	backup    backup
}

// backup is an older copy of the cloud's table, and what was committed since.
type backup struct {
	taken     bool
	messages  [messages]message
	installs  [installs]install
	committed uint8 // of since
	since     [maxUntold]report
}

// start is the first moment: nothing was sent, both Macs are up and have their journals.
func start() state {
	var s state
	for m := range s.macs {
		s.macs[m].up = true
		s.macs[m].hand.message = noMessage
	}
	s.macs[firstMac].journal.install = installA
	s.macs[secondMac].journal.install = installB
	return s
}
