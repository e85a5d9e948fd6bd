package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/simulator"
)

// The README's first command, as a newcomer uses it: start, paste, look, be written
// to, stop, start again.
func TestUpSimulated(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	up := start(t, bluecloud, "up", "--simulate", "--data", dir, "--listen", address)
	up.out.await(t, "ready\n", 20*time.Second)

	var curl string
	for l := range strings.Lines(up.out.String()) {
		if strings.HasPrefix(l, "curl ") {
			curl = strings.TrimSpace(l)
		}
	}
	pasted, err := exec.Command("sh", "-c", curl+" -s -w ' %{http_code}'").CombinedOutput()
	if err != nil || !strings.HasSuffix(string(pasted), " 202") {
		t.Fatalf("%s\n%s %v", curl, pasted, err)
	}
	sent := decode[message](t, strings.TrimSuffix(string(pasted), " 202"))

	var c struct {
		BaseURL     string `json:"base_url"`
		TextingBlue struct {
			APIKey string `json:"api_key"`
		} `json:"texting_blue"`
		Sendblue struct {
			ID     string `json:"api_key_id"`
			Secret string `json:"api_secret_key"`
		} `json:"sendblue"`
		Console struct{ URL, Login, Password string }
		Lines   []string
	}
	data, err := os.ReadFile(filepath.Join(dir, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(filepath.Join(dir, "credentials.json")); info.Mode().Perm() != 0o600 {
		t.Errorf("credentials.json has mode %o", info.Mode().Perm())
	}
	if c.Sendblue.ID == "" || c.Sendblue.Secret == "" || c.Console.URL == "" || c.Console.Login == "" || c.Console.Password == "" || len(c.Lines) != 1 {
		t.Errorf("credentials.json is not whole: %s", data)
	}
	w := &world{t: t, address: address, key: c.TextingBlue.APIKey}
	eventually(t, 20*time.Second, "delivered", func() bool { return w.get(sent.ID).Status == "delivered" })

	run(t, bluecloud, "simulate", "receive", "--data", dir, "--from", "+14155551234", "And hello to you 👋")
	eventually(t, 20*time.Second, "the reply", func() bool { return len(w.all("direction=inbound")) == 1 })
	if in := w.all("direction=inbound")[0]; in.Content != "And hello to you 👋" || in.Status != "received" || in.From != "+14155551234" || in.To != line {
		t.Errorf("%+v", in)
	}

	if msg := fails(t, 1, bluecloud, "up", "--simulate", "--data", dir, "--listen", freeAddress(t)); !strings.Contains(msg, "another bluecloud is running") {
		t.Errorf("a second start says: %s", msg)
	}
	if code := up.stop(os.Interrupt); code != 0 {
		t.Fatalf("Ctrl-C ended with %d", code)
	}

	again := start(t, bluecloud, "up", "--simulate", "--data", dir, "--listen", address)
	again.out.await(t, "ready\n", 20*time.Second)
	if len(w.all("")) != 2 || !strings.Contains(again.out.String(), w.key) {
		t.Error("the second start did not keep the data")
	}
	second := w.send("+14155551234", "still there?")
	eventually(t, 20*time.Second, "delivered after the restart", func() bool { return w.get(second.ID).Status == "delivered" })
	if code := again.stop(syscall.SIGTERM); code != 0 {
		t.Fatalf("SIGTERM ended with %d", code)
	}
}

// Without a Mac and without --simulate there is nothing to run.
func TestUpNeedsAMac(t *testing.T) {
	t.Parallel()
	if msg := fails(t, 1, bluecloud, "up", "--data", t.TempDir()); !strings.Contains(msg, "--simulate") {
		t.Errorf("it says: %s", msg)
	}
}

// Every outcome that contracts name, through both programs.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.startRelay()
	cases := []struct {
		to   string
		want func(m message) bool
	}{
		{"+14155551234", func(m message) bool { return m.Status == "delivered" && m.DeliveredAt != "" && m.ReadAt == "" }},
		{"+15005550001", func(m message) bool { return m.Status == "failed" && strings.Contains(m.ErrorMessage, "22") }},
		{"+15005550002", func(m message) bool { return m.Status == "sent" }},
		{"+15005550003", func(m message) bool { return m.Status == "delivered" && m.ReadAt != "" }},
		{"+15005550004", func(m message) bool { return m.Status == "polling" && m.ErrorCode == "outcome_unknown" }},
		{"+15005550005", func(m message) bool { return m.Status == "delivered" }},
		{"+15005550006", func(m message) bool { return m.Status == "delivered" }},
		{"+15005550007", func(m message) bool { return m.Status == "delivered" }},
		{"+15005550008", func(m message) bool { return m.Status == "sent" }},
		{"+15005550009", func(m message) bool { return m.Status == "delivered" }},
		{"+15005550010", func(m message) bool { return m.Status == "delivered" }},
	}
	sent := make([]message, len(cases))
	for i, c := range cases {
		sent[i] = w.send(c.to, "a message to "+c.to)
	}
	for i, c := range cases {
		eventually(t, 75*time.Second, "the outcome of "+c.to, func() bool { return c.want(w.get(sent[i].ID)) })
	}
	eventually(t, 20*time.Second, "the reply by itself", func() bool {
		in := w.all("direction=inbound")
		return len(in) == 1 && in[0].Content == "You said: a message to +15005550010" && in[0].From == "+15005550010"
	})
	// 0004 has had its settle window: nothing was sent for it, everything else once.
	effects, err := simulator.Effects(filepath.Join(w.dir, "mac"))
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[string]int)
	for _, e := range effects {
		count[e.Recipient]++
	}
	for _, c := range cases {
		want := 1
		if c.to == "+15005550004" {
			want = 0
		}
		if count[c.to] != want {
			t.Errorf("%d messages left for %s, want %d", count[c.to], c.to, want)
		}
	}
	if code := w.relay.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the relay ended with %d", code)
	}
	if code := w.cloud.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the cloud ended with %d", code)
	}
}

// Health is what an operator's probe sees.
func TestHealth(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dir: t.TempDir(), address: freeAddress(t)}
	w.startCloud()
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 200, "/setup?token=dev_abc": 200, "/nothing": 404, "/v1/messages": 401, "/relay/v1/socket": 401} {
		resp, err := http.Get(w.url() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, resp.StatusCode, want)
		}
	}
}

// Exit codes and sentences of wrong usage.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code    int
		program string
		args    []string
		says    string
	}{
		{2, bluecloud, []string{"nonsense"}, "unknown command"},
		{2, bluecloud, []string{"serve", "--nonsense"}, "unknown flag"},
		{2, bluecloud, []string{"account"}, "needs one of its commands"},
		{2, bluecloud, []string{"account", "nonsense"}, "unknown command"},
		{2, bluecloud, []string{"account", "create"}, "accepts 1 arg"},
		{2, bluecloud, []string{"account", "set", "team_x", "--plan", "standard", "--data", t.TempDir()}, "--plan must be one of"},
		{2, bluecloud, []string{"account", "set", "team_x", "--numbers", "-1", "--data", t.TempDir()}, "0, for none, or more"},
		{2, bluecloud, []string{"account", "set", "team_x", "--media", "perhaps", "--data", t.TempDir()}, "on or off"},
		{1, bluecloud, []string{"account", "set", "team_x", "--plan", "pro", "--data", t.TempDir()}, "there is no account"},
		{2, bluecloud, []string{"line", "add", "+14155550000"}, "--account is needed"},
		{2, bluecloud, []string{"serve", "--webhook-allow", "home", "--data", t.TempDir()}, "neither an address nor a range"},
		{2, bluecloud, []string{"serve", "--public-url", "example.com", "--data", t.TempDir()}, "--public-url must be"},
		{2, bluerelay, []string{"pair"}, "give a setup URL"},
		{2, bluerelay, []string{"pair", "https://x/setup?token=dev_a", "--scope", "some", "--state", t.TempDir()}, "--scope must be"},
		{1, bluecloud, []string{"account", "create", "", "--data", t.TempDir()}, "needs a name"},
		{1, bluecloud, []string{"line", "add", "12345", "--account", "team_x", "--data", t.TempDir()}, "there is no account"},
		{1, bluecloud, []string{"serve", "--database", "mysql://localhost/x"}, "no database this program knows"},
		{1, bluecloud, []string{"serve", "--database", "postgres://u:secret@127.0.0.1:1/x", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, "cannot be written now"},
		{1, bluecloud, []string{"serve", "--listen", "256.0.0.1:1", "--data", t.TempDir()}, "cannot listen"},
		{1, bluecloud, []string{"simulate", "receive", "--from", "+14155551234", "x", "--data", t.TempDir()}, "up --simulate"},
		{1, bluerelay, []string{"run", "--state", t.TempDir()}, "not paired"},
		{1, bluerelay, []string{"pair", "not a url", "--state", t.TempDir()}, "not a setup URL"},
		{1, bluerelay, []string{"pair", "http://example.com/setup?token=dev_a", "--state", t.TempDir()}, "use https"},
	} {
		if msg := fails(t, c.code, c.program, c.args...); !strings.Contains(msg, c.says) {
			t.Errorf("%s %v says %q, want something about %q", filepath.Base(c.program), c.args, msg, c.says)
		}
	}
}

// A flag's environment twin counts where the flag is not given.
func TestEnvironmentTwins(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(bluecloud, "account", "list", "--json")
	cmd.Env = append(os.Environ(), "BLUECLOUD_DATABASE="+filepath.Join(t.TempDir(), "twin.db"))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "{\n  \"accounts\": []\n}" {
		t.Fatalf("%s %v", out, err)
	}
	cmd = exec.Command(bluecloud, "account", "list")
	cmd.Env = append(os.Environ(), "BLUECLOUD_JSON=perhaps", "BLUECLOUD_DATA="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "BLUECLOUD_JSON") {
		t.Fatalf("%s %v", out, err)
	}
}
