package launchd

import (
	"strconv"
	"strings"
)

// Status is what launchd says about a job.
type Status struct {
	Loaded    bool   // launchd has the job
	State     string // launchd's own word, such as "running" or "spawn scheduled"
	PID       int    // 0 while the program does not run
	Runs      int    // how often it was started since it was loaded
	LastExit  *int   // of the last run that ended by itself; nil where there was none
	Signature bool   // the kernel killed it for its signature
}

// Running tells whether the program runs.
func (s Status) Running() bool { return s.PID > 0 }

// readStatus reads what `launchctl print` shows of a job. Its form is no interface of
// Apple's, so whatever is not understood is left out: of the lines "key = value" those
// count that stand in the outermost braces, for parts of the job have keys of the same
// names; where there is none, any.
func readStatus(said string) Status {
	s := Status{Loaded: true, Signature: strings.Contains(said, "OS_REASON_CODESIGNING")}
	outer, inner := map[string]string{}, map[string]string{}
	depth := 0
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasSuffix(line, "{"):
			depth++
			continue
		case line == "}":
			depth--
			continue
		}
		key, value, ok := strings.Cut(line, " = ")
		if !ok {
			continue
		}
		values := inner
		if depth == 1 {
			values = outer
		}
		if _, there := values[key]; !there {
			values[key] = value
		}
	}
	if len(outer) == 0 {
		outer = inner
	}
	s.State = outer["state"]
	if pid, ok := number(outer["pid"]); ok {
		s.PID = pid
	}
	if runs, ok := number(outer["runs"]); ok {
		s.Runs = runs
	}
	if code, ok := number(outer["last exit code"]); ok {
		s.LastExit = &code
	}
	return s
}

// number reads the digits at the beginning of a value such as "78: EX_CONFIG".
func number(value string) (int, bool) {
	digits := value
	if at := strings.IndexFunc(value, func(r rune) bool { return r < '0' || r > '9' }); at >= 0 {
		digits = value[:at]
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

// isDisabled reads what `launchctl print-disabled` shows: "LABEL" => disabled, on older
// systems => true.
func isDisabled(said, label string) bool {
	for line := range strings.Lines(said) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), strconv.Quote(label)+" => "); ok {
			return value == "disabled" || value == "true"
		}
	}
	return false
}
