// Bluecloud is the server, its administration, and the whole product in one process.
// It holds no rules: it reads flags and wires the packages to this machine.
//
// The same program also runs in three other roles, chosen by how it is started: the
// shim between a relay and osascript, the osascript of the simulated Messages, and
// the simulated Messages itself.
package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bluerelay/applescript"
	"bluerelay/cli"
	"bluerelay/fault"
	"bluerelay/simulator"
)

// version is set when a release is built.
var version = "dev"

func main() {
	// First of all, because start-up is paid on each send.
	if len(os.Args) == 2 && os.Args[1] == applescript.ShimArg {
		os.Exit(applescript.Shim(os.Stdin))
	}
	if filepath.Base(os.Args[0]) == "osascript" {
		os.Exit(simulator.Osascript(os.Args[0], os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	root := &cobra.Command{
		Use:     "bluecloud",
		Short:   "An iMessage API that you host yourself",
		Version: version,
	}
	root.AddCommand(upCommand(), serveCommand(), accountCommand(), keyCommand(), lineCommand(), relayCommand(), simulateCommand())
	if fault.Built {
		root.AddCommand(faultsCommand())
	}
	os.Exit(cli.Main(root, "BLUECLOUD"))
}
