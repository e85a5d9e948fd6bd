package e2e_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkup is what `doctor --json` prints.
type checkup struct {
	OK     bool
	Checks []struct {
		Name, State string
		Evidence    []string
		Next        string `json:"next_step"`
		Settings    string `json:"settings_url"`
	}
}

// amiss are the checks that are not ok, as "name state", in one line.
func (c checkup) amiss() string {
	var list []string
	for _, one := range c.Checks {
		if one.State != "ok" {
			list = append(list, one.Name+" "+one.State)
		}
	}
	return strings.Join(list, ", ")
}

// standIns are the programs of a Mac whose state is files in a folder: the pane of Settings
// that `open` is called with mends what it is for.
func standIns(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, script := range map[string]string{
		"sw_vers":   `echo 15.5`,
		"launchctl": `case $1 in managername) echo Aqua;; esac`,
		"tmutil":    `echo "[Excluded] $2"`,
		"pgrep":     `echo 4711`,
		"pmset":     `test -e "$0.mended" && echo ' sleep 0' || echo ' sleep 10'`,
		"open": `echo "$1" >>"$0.calls"
case $1 in
*Automation) touch "$(dirname "$0")/osascript.mended" ;;
*energysaver) touch "$(dirname "$0")/pmset.mended" ;;
esac`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// startOn runs the relay on a Mac of stand-ins, on which macOS denies Automation until
// somebody allows it.
func (w *world) startOn(dir string) {
	w.t.Helper()
	program := filepath.Join(dir, "osascript")
	script := "#!/bin/sh\ntest -e \"$0.mended\" || { cat >/dev/null; echo '0:1: execution error: Not authorized to send Apple events to Messages. (-1743)' >&2; exit 1; }\nexec \"" + w.mac.Osascript() + "\" \"$@\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		w.t.Fatal(err)
	}
	w.relay = start(w.t, bluerelay, "run", "--state", w.state(), "--chat-db", w.mac.ChatDB(), "--osascript", program, "--programs", dir, "--keep-awake=false")
}

// doctor asks for a checkup; its exit code must be that of its answer.
func (w *world) doctor(dir string, env ...string) (c checkup, said string) {
	w.t.Helper()
	cmd := exec.Command(bluerelay, "doctor", "--json", "--state", w.state(), "--chat-db", w.mac.ChatDB(), "--programs", dir)
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if json.Unmarshal(out, &c) != nil || (err == nil) != c.OK || c.OK != (stderr.Len() == 0) {
		w.t.Fatalf("%s%s %v", out, stderr.String(), err)
	}
	return c, stderr.String()
}

// awaitDoctor asks until the checks that are not ok are those.
func (w *world) awaitDoctor(dir, want string) (c checkup) {
	w.t.Helper()
	eventually(w.t, 30*time.Second, want, func() bool {
		c, _ = w.doctor(dir)
		return c.amiss() == want
	})
	return c
}

// What goes wrong around the agent: killed, started twice, a folder that others enter, a
// credential that was revoked.
func TestDoctorOfASickAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	dir := standIns(t)
	for _, name := range []string{"osascript.mended", "pmset.mended"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.startOn(dir)
	w.awaitDoctor(dir, "account unknown")
	w.relay.kill()
	if c, said := w.doctor(dir); !strings.HasPrefix(c.amiss(), "agent fail") || !strings.Contains(said, "bluerelay start") {
		t.Errorf("after kill -9: %s\n%s", c.amiss(), said)
	}
	w.startOn(dir)
	w.awaitDoctor(dir, "account unknown")
	if out := fails(t, 1, bluerelay, "run", "--state", w.state(), "--chat-db", w.mac.ChatDB()); !strings.Contains(out, "another bluerelay") {
		t.Errorf("a second agent says: %s", out)
	}
	w.awaitDoctor(dir, "account unknown")
	if err := os.Chmod(w.state(), 0o755); err != nil {
		t.Fatal(err)
	}
	if c := w.awaitDoctor(dir, "state_folder fail, account unknown"); !strings.Contains(c.Checks[3].Next, "chmod 700") {
		t.Errorf("%+v", c.Checks[3])
	}
	if err := os.Chmod(w.state(), 0o700); err != nil {
		t.Fatal(err)
	}
	relays := decode[struct {
		Relays []struct {
			ID string `json:"relay_id"`
		}
	}](t, run(t, bluecloud, "relay", "list", "--json", "--database", w.database()))
	run(t, bluecloud, "relay", "revoke", relays.Relays[0].ID, "--database", w.database())
	if c := w.awaitDoctor(dir, "account unknown, credential fail"); !strings.Contains(c.Checks[12].Next, "line pair") {
		t.Errorf("%+v", c.Checks[12])
	}
}

// Without an agent the ways to the server are told apart all the same.
func TestDoctorOnTheWayToTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	dir := standIns(t)
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	defer stranger.Close()
	authority := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := freeAddress(t)
	for name, tt := range map[string]struct{ server, env, want string }{
		"a certificate that nobody knows": {server: stranger.URL, want: "this Mac does not trust it"},
		"another server":                  {server: stranger.URL, env: "SSL_CERT_FILE=" + authority, want: "no bluecloud"},
		"another name":                    {server: strings.Replace(stranger.URL, "127.0.0.1", "localhost", 1), env: "SSL_CERT_FILE=" + authority, want: "another name"},
		"no TLS":                          {server: "https://" + w.address, want: "does not speak TLS"},
		"nobody there":                    {server: "http://" + closed, want: "Nothing listens"},
		"a proxy that is away":            {server: "https://cloud.example", env: "HTTPS_PROXY=http://" + closed, want: "The proxy of this Mac does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(w.state(), "credential.json"))
			if err != nil {
				t.Fatal(err)
			}
			c := decode[map[string]any](t, string(data))
			c["server"] = tt.server
			if data, err = json.Marshal(c); err == nil {
				err = os.WriteFile(filepath.Join(w.state(), "credential.json"), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			found, _ := w.doctor(dir, tt.env)
			if one := found.Checks[10]; one.Name != "cloud" || one.State != "fail" || !strings.Contains(one.Next, tt.want) {
				t.Errorf("%+v", one)
			}
		})
	}
}
