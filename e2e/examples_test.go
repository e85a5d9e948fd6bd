package e2e_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// page is the Messages page whose examples must work with only host and key changed.
const page = "../../shared/seeds/000_295dea5ec4cc3d77.txt"

// The page's own curl, JavaScript and Python, each as it stands there but for host
// and key.
func TestPageExamples(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(page)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("the API page is not on this machine; TestOwnExamples makes the same requests")
	}
	if err != nil {
		t.Fatal(err)
	}
	var curl, js, py []string
	for _, block := range blocks(string(data)) {
		switch {
		case strings.HasPrefix(block, "curl "):
			curl = append(curl, block)
		case strings.Contains(block, "await fetch("):
			js = append(js, block)
		case strings.HasPrefix(block, "import requests"):
			py = append(py, block)
		}
	}
	// send, list, get in each language, and the curl line of the second page.
	if len(curl) != 4 || len(js) != 3 || len(py) != 3 {
		t.Fatalf("found %d, %d and %d examples", len(curl), len(js), len(py))
	}
	runExamples(t, curl, js, py)
}

// blocks cuts the page into its examples: each begins with a line that only code
// has and ends where prose goes on.
func blocks(page string) []string {
	begin := regexp.MustCompile(`^(curl |const (response|params) = |import requests)`)
	end := regexp.MustCompile(`^(Response|When has_more|Message status|import requests|const |curl )`)
	var list []string
	var block []string
	flush := func() {
		if len(block) > 0 {
			list = append(list, strings.Join(block, "\n"))
		}
		block = nil
	}
	for l := range strings.Lines(page) {
		l = strings.TrimRight(l, "\n")
		if end.MatchString(l) && len(block) > 0 && !continues(block, l) {
			flush()
		}
		if len(block) > 0 || begin.MatchString(l) {
			block = append(block, l)
		}
	}
	flush()
	return list
}

// continues tells whether a line that could begin an example belongs to the one
// before: JavaScript goes on after its first const.
func continues(block []string, l string) bool {
	return strings.HasPrefix(block[0], "const ") && strings.HasPrefix(l, "const ")
}

// TestOwnExamples makes the page's requests from our own copy of its curl line, so
// that a machine without the page tests them too.
func TestOwnExamples(t *testing.T) {
	t.Parallel()
	send, err := os.ReadFile("testdata/examples/send.sh")
	if err != nil {
		t.Fatal(err)
	}
	runExamples(t, []string{string(send)}, nil, nil)
}

func runExamples(t *testing.T, curl, js, py []string) {
	t.Helper()
	w := newWorld(t, 10)
	w.startRelay()
	known := w.send("+14155551234", "Hello!")
	w.delivers(known.ID)
	// Ids are per server, as host and key are.
	adapt := strings.NewReplacer("https://api.texting.blue", w.url(), "tb_live_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", w.key,
		"msg_xxxxxxxxxxxx", known.ID, "msg_yyyyyyyyyyyy", known.ID)
	python := pythonWithRequests(t, len(py) > 0)
	for _, group := range []struct {
		program []string
		suffix  string
		list    []string
	}{{[]string{"sh"}, ".sh", curl}, {[]string{"node"}, ".mjs", js}, {[]string{python}, ".py", py}} {
		for i, example := range group.list {
			file := filepath.Join(t.TempDir(), "example"+group.suffix)
			if group.suffix == ".py" {
				example = indent(example)
			}
			if err := os.WriteFile(file, []byte(adapt.Replace(example)), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(group.program[0], file).Output()
			if err != nil || !answered(group.suffix, string(out), known.ID) {
				t.Errorf("example %d (%s): %v\n%s\nprinted %q", i, group.suffix, err, example, out)
			}
		}
	}
	// What the examples have sent goes the whole way.
	eventually(t, 20*time.Second, "the examples' messages delivered", func() bool {
		n := 0
		for _, m := range w.all("direction=outbound&status=delivered") {
			if m.Content == "Hello from Texting Blue!" {
				n++
			}
		}
		return n == (len(curl)+3)/4+len(js)/3+len(py)/3
	})
}

// answered tells whether an example printed what the page says that it prints.
func answered(kind, out, id string) bool {
	if kind == ".sh" {
		return strings.Contains(out, `"status":"queued"`) || strings.Contains(out, `"messages":[`) || strings.Contains(out, `"id":"`+id+`"`)
	}
	for _, want := range []string{"msg_", "delivered", "Hello!"} {
		if strings.Contains(out, want) {
			return true
		}
	}
	return false
}

// indent restores the one indentation that Python needs and a page without markup
// has lost.
func indent(py string) string { return strings.ReplaceAll(py, "\nprint(f\"", "\n    print(f\"") }

// pythonWithRequests finds a Python that has the library of the page's example.
func pythonWithRequests(t *testing.T, needed bool) string {
	t.Helper()
	if !needed {
		return ""
	}
	candidates := []string{os.Getenv("PYTHON"), "python3", "/usr/bin/python3"}
	for _, p := range candidates {
		if p != "" && exec.Command(p, "-c", "import requests").Run() == nil {
			return p
		}
	}
	t.Fatal("no Python with requests: run scripts/install-test-tools.sh")
	return ""
}
