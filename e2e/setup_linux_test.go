package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/launchd/launchdtest"
)

// From a Mac on which permissions are missing to one that sends: doctor, the server's list,
// and the guided set-up at a terminal.
func TestDoctorAndSetup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	dir := standIns(t)
	if c, said := w.doctor(dir); !strings.HasPrefix(c.amiss(), "agent fail, chat_db unknown") || !strings.Contains(said, "no agent is running") && !strings.Contains(said, "No agent is running") {
		t.Errorf("without an agent: %s\n%s", c.amiss(), said)
	}
	w.startOn(dir)
	c := w.awaitDoctor(dir, "account unknown, automation fail, sleep fail")
	if one := c.Checks[9]; one.Name != "automation" || !strings.Contains(one.Settings, "Privacy_Automation") || one.Next == "" || len(one.Evidence) == 0 {
		t.Errorf("%+v", one)
	}
	if out := fails(t, 1, bluerelay, "doctor", "--state", w.state(), "--programs", dir); !strings.Contains(out, "mend this first: Automation") {
		t.Errorf("%s", out)
	}
	eventually(t, 20*time.Second, "the checkup at the server", func() bool {
		_, body, err := w.call(http.MethodGet, "/v1/relays", nil)
		return err == nil && strings.Contains(body, `"name":"sleep","state":"fail"`) && strings.Contains(body, `"code":"automation"`)
	})
	if out := run(t, bluecloud, "relay", "list", "--database", w.database()); !strings.Contains(out, "sleep (fail, found ") || !strings.Contains(out, "Automation and switch Messages on") {
		t.Errorf("%s", out)
	}
	_, body, _ := w.call(http.MethodGet, "/v1/events?limit=100", nil)
	for _, want := range []string{`"code":"automation"`, `"code":"sleep"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no event with %s in %s", want, body)
		}
	}
	if out := fails(t, 1, bluerelay, "setup", "--state", w.state(), "--programs", dir); !strings.Contains(out, "mend this first: Automation") || !strings.Contains(out, "somebody has to do this at the Mac") {
		t.Errorf("without a terminal: %s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "open.calls")); !os.IsNotExist(err) {
		t.Error("Settings were opened for nobody")
	}

	person := atTerminal(t, bluerelay, "setup", "--to", "+14155551234", "--state", w.state(), "--chat-db", w.mac.ChatDB(), "--programs", dir)
	person.out.await(t, "was delivered: this Mac sends", 60*time.Second)
	person.ended(t, 0)
	opened, _ := os.ReadFile(filepath.Join(dir, "open.calls"))
	if got := strings.Fields(string(opened)); len(got) != 2 || !strings.Contains(got[0], "Automation") || !strings.Contains(got[1], "energysaver") {
		t.Errorf("opened were %q", got)
	}
	if list := w.all("direction=outbound"); len(list) != 1 || list[0].To != "+14155551234" || list[0].Status != "delivered" {
		t.Errorf("%+v", list)
	}
	w.awaitDoctor(dir, "")
	if out := run(t, bluerelay, "doctor", "--state", w.state(), "--programs", dir); !strings.Contains(out, "ok    automation") && !strings.Contains(out, "ok    Automation") || strings.Contains(out, "\x1b") {
		t.Errorf("%q", out)
	}
}

// Ctrl-C ends a set-up that waits, in a sentence.
func TestSetupIsStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	person := atTerminal(t, bluerelay, "setup", "--state", w.state(), "--chat-db", w.mac.ChatDB())
	person.out.await(t, "Waiting for the agent (Ctrl-C ends)", 20*time.Second)
	person.types(t, "\x03")
	person.out.await(t, "stopped: `bluerelay setup` goes on from here", 20*time.Second)
	person.ended(t, 1)
}

// On a Mac that has nothing yet, set-up pairs, installs and starts the agent, and shows what
// only a person can do. It does so as a user like any other: root has no login session.
func TestSetupInstalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	const user = 65534
	home, err := os.MkdirTemp("", "home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	data, err := os.ReadFile(bluerelay)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(home, "bluerelay")
	if err := os.WriteFile(program, data, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "setup", "--state", filepath.Join(home, "state"), "--chat-db", filepath.Join(home, "chat.db"), "--programs", launchdtest.New(t).Tools.Dir, w.setupURL())
	cmd.Env = append(os.Environ(), "HOME="+home)
	if os.Geteuid() == 0 {
		if err := os.Chown(home, user, user); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("%s %v", out, err)
	}
	for _, want := range []string{"Paired with " + w.url(), "Applications/bluerelay.app", "FAIL  chat.db", "Open Messages on this Mac and sign in", "somebody has to do this at the Mac"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}
