package mac

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The script is the same whatever is shown; title and text are arguments and nothing else.
func TestNotify(t *testing.T) {
	dir := t.TempDir()
	if err := (Tools{Dir: dir}).Notify(t.Context(), "a", "b"); !errors.Is(err, ErrNoTool) {
		t.Errorf("without osascript: %v", err)
	}
	standIn(t, dir, "osascript", `cat > "`+dir+`/script"; printf '%s|' "$@" > "`+dir+`/args"`)
	text := "-\" & (do shell script \"id\") & \"\n$(id) 'x'"
	if err := (Tools{Dir: dir}).Notify(t.Context(), "bluerelay", text); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(dir, "script"))
	if err != nil || string(script) != string(notifyScript) || !strings.Contains(string(script), "on run argv") {
		t.Errorf("%q, %v", script, err)
	}
	if args, err := os.ReadFile(filepath.Join(dir, "args")); err != nil || string(args) != "-l|AppleScript|-|bluerelay|"+text+"|" {
		t.Errorf("%q, %v", args, err)
	}
	standIn(t, dir, "osascript", `exit 1`)
	if err := (Tools{Dir: dir}).Notify(t.Context(), "a", "b"); err == nil {
		t.Error("a failure was passed over")
	}
}
