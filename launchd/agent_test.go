package launchd_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"howett.net/plist"

	"bluerelay/launchd"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// agent returns one that is valid and asks for every kind of escaping.
func agent() launchd.Agent {
	return launchd.Agent{
		Label:     "dev.bluerelay.relay",
		Program:   `/Users/Zoë & "Bo"/Library/Application Support/bluerelay/<bin>/bluerelay`,
		Arguments: []string{"run", "--state", "/Users/Zoë & \"Bo\"/it's 100% 📱", ""},
		StateDir:  `/Users/Zoë & "Bo"/Library/Application Support/bluerelay`,
		LogDir:    `/Users/Zoë & "Bo"/Library/Logs/bluerelay`,
		BundleID:  "com.bluerelay.agent",
		Environment: map[string]string{
			"BLUERELAY_LOG": "a<b & c>d",
			"HTTPS_PROXY":   "http://proxy.example:3128",
		},
	}
}

func TestPlistMatchesGolden(t *testing.T) {
	golden := filepath.Join("testdata", "agent.plist")
	got, err := agent().Plist()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("plist differs from %s; got:\n%s", golden, got)
	}
}

func TestPlistLeavesOutAnEmptyEnvironment(t *testing.T) {
	a := agent()
	a.Environment = nil
	got, err := a.Plist()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(got, []byte("EnvironmentVariables")) {
		t.Errorf("an empty environment is rendered:\n%s", got)
	}
}

func TestPlistRefuses(t *testing.T) {
	const secret = "hunter2"
	environment := func(name, value string) func(*launchd.Agent) {
		return func(a *launchd.Agent) { a.Environment = map[string]string{name: value} }
	}
	for name, test := range map[string]struct {
		change func(*launchd.Agent)
		want   string
	}{
		"no label":              {func(a *launchd.Agent) { a.Label = "" }, "label"},
		"label with slash":      {func(a *launchd.Agent) { a.Label = "dev/relay" }, "label"},
		"label climbing":        {func(a *launchd.Agent) { a.Label = ".." }, "label"},
		"label ending in dot":   {func(a *launchd.Agent) { a.Label = "dev.relay." }, "label"},
		"label with umlaut":     {func(a *launchd.Agent) { a.Label = "dev.relä" }, "label"},
		"label with space":      {func(a *launchd.Agent) { a.Label = "dev.re lay" }, "label"},
		"label like an option":  {func(a *launchd.Agent) { a.Label = "-dev.relay" }, "option"},
		"endless label":         {func(a *launchd.Agent) { a.Label = strings.Repeat("a", 129) }, "128"},
		"no program":            {func(a *launchd.Agent) { a.Program = "" }, "program"},
		"relative program":      {func(a *launchd.Agent) { a.Program = "bin/bluerelay" }, "absolute"},
		"program with tilde":    {func(a *launchd.Agent) { a.Program = "~/bin/bluerelay" }, "absolute"},
		"program with dots":     {func(a *launchd.Agent) { a.Program = "/a/../bluerelay" }, "shortest"},
		"program with newline":  {func(a *launchd.Agent) { a.Program = "/a\n/bluerelay" }, "control"},
		"program not UTF-8":     {func(a *launchd.Agent) { a.Program = "/a\xff" }, "UTF-8"},
		"relative state folder": {func(a *launchd.Agent) { a.StateDir = "state" }, "state folder"},
		"no log folder":         {func(a *launchd.Agent) { a.LogDir = "" }, "log folder"},
		"argument with NUL":     {func(a *launchd.Agent) { a.Arguments = []string{"run", "a\x00b"} }, "argument 2"},
		"variable without name": {environment("", "x"), "not a name"},
		"variable with equals":  {environment("A=B", "x"), "not a name"},
		"variable with digit":   {environment("1A", "x"), "not a name"},
		"value with newline":    {environment("A", "x\ny"), "control"},
		"api key":               {environment("BLUECLOUD_API_KEY", secret), "secret"},
		"token in lower case":   {environment("access_token", secret), "secret"},
		"password":              {environment("PGPASSWORD", secret), "secret"},
		"credential":            {environment("RELAY_CREDENTIALS", secret), "secret"},
		"proxy with password":   {environment("HTTPS_PROXY", "http://me:"+secret+"@proxy.example"), "secret"},
		"broken proxy":          {environment("HTTPS_PROXY", "http://me:"+secret+"%zz@proxy.example"), "secret"},
		"pairing link":          {environment("SETUP", "https://cloud.example/setup?token="+secret), "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			a := agent()
			test.change(&a)
			got, err := a.Plist()
			if err == nil {
				t.Fatalf("accepted:\n%s", got)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q does not say %q", err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error repeats the secret: %q", err)
			}
		})
	}
}

func TestPlistAcceptsHarmlessVariables(t *testing.T) {
	a := agent()
	a.Environment = map[string]string{"BLUERELAY_KEYCHAIN": "1", "KEYBOARD": "us", "PASSAGE": "", "_x9": "a@b"}
	if _, err := a.Plist(); err != nil {
		t.Error(err)
	}
}

// FuzzPlistKeepsValues holds that a value either is refused or reaches launchd, and whoever
// reads the file again, unchanged.
func FuzzPlistKeepsValues(f *testing.F) {
	f.Add("dev.bluerelay.relay", "/opt/blue relay", "run", "LANG", "en_US.UTF-8")
	f.Add("a", "/<&>\"'", "\u2028]]>", "A", "<!-- &amp; -->")
	f.Add("a-b_c", "/\U0001F4F1", "\uFEFF\u202E", "B", "\u00A0 x ")
	f.Add("x", "/a", "\r\n", "C", "\uFFFD")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, label, program, argument, name, value string) {
		a := launchd.Agent{
			Label: label, Program: program, Arguments: []string{argument}, StateDir: "/s", LogDir: "/l",
			Environment: map[string]string{name: value},
		}
		data, err := a.Plist()
		if err != nil {
			return
		}
		var got struct {
			Label                string
			ProgramArguments     []string
			EnvironmentVariables map[string]string
		}
		if _, err := plist.Unmarshal(data, &got); err != nil {
			t.Fatalf("%v in:\n%s", err, data)
		}
		again := filepath.Join(dir, "agent.plist")
		if err := os.WriteFile(again, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if read, err := launchd.ReadAgent(again); err != nil || !reflect.DeepEqual(read, a) {
			t.Errorf("read %+v, %v, want %+v", read, err, a)
		}
		if got.Label != label || !slices.Equal(got.ProgramArguments, []string{program, argument}) ||
			!maps.Equal(got.EnvironmentVariables, a.Environment) {
			t.Errorf("got %+v, want %+v", got, a)
		}
	})
}
