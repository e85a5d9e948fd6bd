// Bluerelay is the daemon on the Mac. It holds no rules: it reads flags and wires
// package relay to this machine. Started with applescript.ShimArg it is the shim
// between the daemon and osascript.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"bluerelay/applescript"
	"bluerelay/cli"
	"bluerelay/fault"
)

// version is set when a release is built.
var version = "dev"

func main() {
	// First of all, because start-up is paid on each send.
	if len(os.Args) == 2 && os.Args[1] == applescript.ShimArg {
		os.Exit(applescript.Shim(os.Stdin))
	}
	root := &cobra.Command{
		Use:     "bluerelay",
		Short:   "The relay on the Mac: sends through Messages and watches its database",
		Version: version,
	}
	root.AddCommand(pairCommand(), runCommand(), setupCommand(), doctorCommand(), importCommand(), inspectCommand(), updateCommand(), guardCommand(), probeCommand())
	root.AddCommand(installCommand(), uninstallCommand(), startCommand(), stopCommand(), restartCommand(), statusCommand(), logsCommand())
	if fault.Built {
		root.AddCommand(faultsCommand())
	}
	os.Exit(cli.Main(root, "BLUERELAY"))
}
