package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"bluerelay/cli"
	"bluerelay/relay"
)

// readScope understands all, started and allow:FILE.
func readScope(s string) (relay.Scope, []string, error) {
	switch {
	case s == string(relay.ScopeAll), s == string(relay.ScopeStarted):
		return relay.Scope(s), nil, nil
	case strings.HasPrefix(s, "allow:"):
		list, err := readHandles(strings.TrimPrefix(s, "allow:"))
		return relay.ScopeAllow, list, err
	}
	return "", nil, cli.Usage("--scope must be all, started or allow:FILE, not %q", s)
}

// readHandles reads one handle a line; empty lines and those with # are skipped.
func readHandles(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the list of --scope: %w", err)
	}
	defer f.Close()
	var list []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if h := strings.TrimSpace(lines.Text()); h != "" && !strings.HasPrefix(h, "#") {
			list = append(list, strings.ToLower(h))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the list of --scope: %w", err)
	}
	if len(list) == 0 {
		return nil, errors.New("the list of --scope is empty: no message would ever leave this Mac")
	}
	return list, nil
}

// describe says what a scope lets leave the Mac.
func describe(c relay.Credential) string {
	switch c.Scope {
	case relay.ScopeStarted:
		return "new messages from and to people that were written to through the API, and what becomes of its own messages"
	case relay.ScopeAllow:
		return fmt.Sprintf("new messages from and to %d listed handles, and what becomes of its own messages", len(c.Allow))
	}
	return "every new message that this Mac receives or that you write on any of your devices from now on, and what becomes of its own messages"
}

const scopeQuestion = `What may leave this Mac from now on, beside what becomes of messages sent through the API?

  1  all      every new message that this Mac receives or that you write on any device
  2  started  only messages from and to people whom the API has written to
  3  allow    only messages from and to the numbers and addresses listed in a file

What is there already stays here in any case.
Choose 1, 2 or 3 [1]: `

// askScope has the person at the terminal choose, until the answer is one.
func askScope(ctx context.Context, in io.Reader, out io.Writer) (string, error) {
	lines := bufio.NewReader(in)
	question := scopeQuestion
	for {
		answer, err := askLine(ctx, lines, out, question)
		if err != nil {
			return "", err
		}
		switch strings.ToLower(answer) {
		case "", "1", "all":
			return "all", nil
		case "2", "started":
			return "started", nil
		case "3", "allow":
			file, err := askLine(ctx, lines, out, "File with one number or address a line: ")
			return "allow:" + file, err
		}
		question = "1, 2 or 3 [1]: "
	}
}

// askLine reads a line. The end of the input is an empty one.
func askLine(ctx context.Context, in *bufio.Reader, out io.Writer, question string) (string, error) {
	fmt.Fprint(out, question)
	type read struct {
		line string
		err  error
	}
	came := make(chan read, 1)
	// A terminal's read cannot be cut short: where ctx ends first, it ends with the process.
	go func() {
		line, err := in.ReadString('\n')
		came <- read{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(out)
		return "", errors.New("stopped: nothing was paired, and the setup URL was not used")
	case r := <-came:
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return "", fmt.Errorf("read the answer: %w", r.err)
		}
		return strings.TrimSpace(r.line), nil
	}
}
