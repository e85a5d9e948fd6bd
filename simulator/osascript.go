package simulator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxScript bounds what is read of the script.
const maxScript = 1 << 20

// Osascript is the program that stands in for /usr/bin/osascript. argv0 is
// the name it was called by, DIR/osascript (a symbolic link made by Link): DIR
// is the folder of the Messages that it talks to. args are those of the
// relay's calls, without the name:
//
//	-l AppleScript - VERB SERVICE KIND TARGET VALUE
//	-l AppleScript - probe
//
// The script is read from stdin to its end and must not be empty; what it
// would do is built in. It returns the exit code: 0, or 1 with one line on
// stderr whose last word is the error's number in brackets. Right before a
// send is handed over, in one request, it writes the line bluerelay:dispatch
// to stderr. It can be killed at any instant: a send that was handed over
// goes its way, another has not begun.
func Osascript(argv0 string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) < 3 || args[0] != "-l" || args[1] != "AppleScript" || args[2] != "-" {
		fmt.Fprintln(stderr, "osascript: simulated: use -l AppleScript - ARGUMENT… with the script on standard input")
		return 1
	}
	script, err := io.ReadAll(io.LimitReader(stdin, maxScript))
	if err != nil {
		fmt.Fprintf(stderr, "osascript: -: %v\n", err)
		return 1
	}
	if len(bytes.TrimSpace(script)) == 0 {
		fmt.Fprintf(stderr, "0:%d: syntax error: Expected expression but found end of script. (-2741)\n", len(script))
		return 1
	}
	if err := runScript(argv0, args[3:], stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "0:%d: execution error: %v\n", len(script), err)
		return 1
	}
	return 0
}

// runScript does what the relay's script does. Every error is an AppleScript
// one.
func runScript(argv0 string, argv []string, stdout, stderr io.Writer) error {
	if len(argv) == 0 {
		return errNoArgument(1)
	}
	call := scriptCall{Verb: argv[0]}
	if call.Verb != verbProbe {
		if len(argv) < 5 {
			return errNoArgument(len(argv) + 1)
		}
		call.Service, call.Kind, call.Target, call.Value = argv[1], argv[2], argv[3], argv[4]
	}
	app, err := reach(argv0)
	if err != nil {
		return errNotRunningApp()
	}
	defer app.close()
	if call.Verb == verbProbe {
		if _, err := app.get(pathHealth); err != nil {
			return errNotRunningApp()
		}
		fmt.Fprintln(stdout, "Messages")
		return nil
	}
	return send(app, call, stdout, stderr)
}

func send(app *connection, call scriptCall, stdout, stderr io.Writer) error {
	a, err := app.post(pathPrepare, call)
	if err != nil {
		return errNotRunningApp()
	}
	if a.Script != nil {
		return a.Script
	}
	// A marker that nobody got is no marker: nothing may be sent then.
	if _, err := io.WriteString(stderr, dispatchMarker+"\n"); err != nil {
		return errHandlerFailed()
	}
	a, err = app.post(pathSend, call)
	if err != nil {
		return errConnectionLost()
	}
	if a.Script != nil {
		return a.Script
	}
	fmt.Fprintln(stdout, call.Kind, "id", call.Target)
	return nil
}

// reach connects to the Messages of the folder that argv0 lies in.
func reach(argv0 string) (*connection, error) {
	if !strings.ContainsRune(argv0, filepath.Separator) {
		found, err := exec.LookPath(argv0)
		if err != nil && !errors.Is(err, exec.ErrDot) {
			return nil, fmt.Errorf("find own folder: %w", err)
		}
		argv0 = found
	}
	addr, err := readAddress(filepath.Dir(argv0))
	if err != nil {
		return nil, err
	}
	return connect(addr, time.Now().Add(eventTimeout))
}
