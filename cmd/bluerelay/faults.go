package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"bluerelay/fault"
)

// faultsCommand lists the places where a plan can end this program. Only a build with
// the tag "fault" has it.
func faultsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "faults", Short: "List the places where this build can be made to die",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, place := range fault.Places("relay.", "shim.") {
				fmt.Fprintln(cmd.OutOrStdout(), place)
			}
			return nil
		},
	}
}
