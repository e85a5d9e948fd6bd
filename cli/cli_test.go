package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// asProgram names the variable that turns the test binary into a program of this package.
const asProgram = "CLI_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	root := &cobra.Command{Use: "program"}
	root.AddCommand(&cobra.Command{Use: "wait", RunE: func(cmd *cobra.Command, _ []string) error {
		fmt.Println("waits")
		<-cmd.Context().Done()
		fmt.Println(context.Cause(cmd.Context()))
		return nil
	}})
	root.AddCommand(&cobra.Command{Use: "said", RunE: func(*cobra.Command, []string) error {
		return fmt.Errorf("wrapped: %w", Said(errors.New("known")))
	}})
	os.Exit(Main(root, "CLI_TEST"))
}

// A terminal that is closed ends a command as Ctrl-C does; under nohup it does not.
func TestSignals(t *testing.T) {
	for name, test := range map[string]struct {
		before  string // of the shell
		signals []syscall.Signal
		want    string
	}{
		"interrupt": {"", []syscall.Signal{syscall.SIGINT}, "interrupt signal received"},
		"closed":    {"", []syscall.Signal{syscall.SIGHUP}, "hangup signal received"},
		"nohup":     {"trap '' HUP; ", []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM}, "terminated signal received"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, "/bin/sh", "-c", test.before+`exec "$0" wait`, os.Args[0])
			cmd.Env = append(os.Environ(), asProgram+"=1")
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			if !lines.Scan() || lines.Text() != "waits" {
				t.Fatalf("%q", lines.Text())
			}
			for _, s := range test.signals {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			lines.Scan()
			if err := cmd.Wait(); err != nil || lines.Text() != test.want {
				t.Errorf("%q, %v", lines.Text(), err)
			}
		})
	}
}

// What was said already is not said again.
func TestSaid(t *testing.T) {
	cmd := exec.Command(os.Args[0], "said")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != failed || strings.TrimSpace(string(out)) != "" {
		t.Errorf("%q, %v", out, err)
	}
}
