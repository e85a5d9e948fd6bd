package simulator

import (
	"fmt"
	"strconv"
)

// Verbs of the relay's script.
const (
	verbText  = "send-text"
	verbFile  = "send-file"
	verbProbe = "probe"
)

// Kinds of a send's target.
const (
	kindParticipant = "participant"
	kindChat        = "chat"
)

// dispatchMarker is the line that the relay's script logs right before it
// hands a send over: an error without it started nothing.
const dispatchMarker = "bluerelay:dispatch"

// scriptCall is one run of the relay's script, as it travels from the program
// to the Messages process.
type scriptCall struct {
	Verb    string `json:"verb"`
	Service string `json:"service"`
	Kind    string `json:"kind"`
	Target  string `json:"target"`
	Value   string `json:"value"`
}

// scriptError is an AppleScript error with its number. The texts are the
// English ones, with their typographic apostrophes; they may hold an address,
// so they go to osascript's stderr only, as on a Mac.
type scriptError struct {
	Text   string `json:"text"`
	Number int    `json:"number"`
}

func (e *scriptError) Error() string { return fmt.Sprintf("%s (%d)", e.Text, e.Number) }

func errNotRunningApp() *scriptError { return &scriptError{"Application isn’t running.", -600} }

func errConnectionLost() *scriptError { return &scriptError{"Connection is invalid.", -609} }

func errTimedOut() *scriptError { return &scriptError{"AppleEvent timed out.", -1712} }

func errHandlerFailed() *scriptError { return &scriptError{"AppleEvent handler failed.", -10000} }

func errNotAuthorized() *scriptError {
	return &scriptError{"Not authorized to send Apple events to Messages.", -1743}
}

func errNoArgument(n int) *scriptError {
	return &scriptError{"Can’t get item " + strconv.Itoa(n) + " of argv. Invalid index.", -1719}
}

func errNoAccount(service string) *scriptError {
	return &scriptError{"Messages got an error: Can’t get account 1 whose service type = " + service + ". Invalid index.", -1719}
}

func errNoSuchChat(guid string) *scriptError {
	return &scriptError{"Messages got an error: Can’t get chat id " + strconv.Quote(guid) + ".", -1728}
}

func errNoSuchParticipant(handle string) *scriptError {
	return &scriptError{"Messages got an error: Can’t get participant id " + strconv.Quote(handle) + ".", -1728}
}

func errNoSuchFile(path string) *scriptError {
	return &scriptError{"File " + path + " wasn’t found.", -43}
}

func errNoServiceType(word string) *scriptError {
	if word == serviceAny {
		return &scriptError{"Can’t make any into type constant.", -1700}
	}
	return &scriptError{"The variable " + word + " is not defined.", -2753}
}

func errUnknownWord(what, word string) *scriptError {
	return &scriptError{"unknown " + what + " " + strconv.Quote(word), -2700}
}
